"""The four ways of writing an engine's method, made one: a value, or an async iterator of items."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, Final

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from nexus.contract import sse
from nexus.contract.surrogates import mended
from nexus.sdk.engine import Call, Content, Event
from nexus.sdk.workers import Workers

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
BYTES: Final = "application/octet-stream"

Items = AsyncIterator[Any]


async def answer(method: Callable[..., Any], request: Any, call: Call, workers: Workers) -> Any:
    """What `method` answers: a value, or its items as an async iterator. Blocking code runs in `workers`."""
    if inspect.isasyncgenfunction(method):
        return method(request, call)
    if inspect.iscoroutinefunction(method):
        value = await method(request, call)
    else:
        value = await workers.run(lambda: method(request, call))
    if isinstance(value, AsyncIterator):
        return value
    if isinstance(value, Iterator):
        return workers.iterate(value)
    return value


async def closed(items: Items) -> None:
    """Close what can be closed: a generator ends at the `yield` where it stands."""
    if isinstance(items, AsyncGenerator):
        await items.aclose()


def encode_value(value: Any) -> Content:
    """A whole answer as bytes. Raises TypeError for what is neither Content nor JSON."""
    return value if isinstance(value, Content) else Content(encode_json(value), JSON)


def encode_item(item: Any) -> bytes:
    """One item of a stream as bytes: bytes as they are, everything else as one event."""
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, Event):
        return sse.encode(encode_json(item.value), item.name)
    return item.body if isinstance(item, Content) else sse.encode(encode_json(item))


def stream_type(first: Any, streaming: Any, response_types: tuple[str, ...]) -> str:
    """The media type of a stream that begins with `first`, at an endpoint of these `streaming` and `response_types`."""
    if isinstance(first, Content):
        return first.media_type
    if isinstance(first, bytes | bytearray | memoryview) and streaming != "sse":
        return next((name for name in response_types if name not in (JSON, EVENTS)), BYTES)
    return EVENTS


def encode_json(value: Any) -> bytes:
    """JSON of a pydantic model, or of dicts and lists that may hold some; half characters in it become U+FFFD."""
    try:
        if isinstance(value, BaseModel):
            return value.model_dump_json(by_alias=True).encode()
        return msgspec.json.encode(value, enc_hook=_plain)
    except (UnicodeEncodeError, PydanticSerializationError):
        return msgspec.json.encode(mended(msgspec.to_builtins(value, enc_hook=_whole)))


def _whole(value: Any) -> Any:
    """A model as dicts and lists, its texts as they are: to JSON they cannot be turned."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"{type(value).__name__} is not JSON")
