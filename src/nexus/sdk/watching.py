"""One call while it is answered: its items sent, and its end brought about when nobody waits for it any more."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from starlette.types import Receive

from nexus.contract.errors import INTERNAL_ERROR, UPSTREAM_TIMEOUT, ApiError
from nexus.sdk.answering import Items, closed, encode_item
from nexus.sdk.calls import RunningCall
from nexus.sdk.responder import Responder

ERROR_EVENT_SECONDS: Final = 1.0
CLIENT_GONE: Final = 499
_NOTHING: Final = object()


class ClientGoneError(Exception):
    """The caller left before its answer was whole."""


async def watch(running: RunningCall, receive: Receive, respond: Responder, seconds: float | None) -> None:
    """Wait for the call's end; bring it about when the caller leaves or so many seconds have passed (None: no bound).

    Raises ClientGoneError and what the call's task raised.
    """
    assert running.task is not None  # noqa: S101 - the task was just given to it
    gone = asyncio.create_task(_disconnected(receive))
    ends: set[asyncio.Future[Any]] = {running.task, gone, running.stopped}
    try:
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        running.stop(None)
        raise
    finally:
        gone.cancel()
    if running.task.done() and not running.stopped.done():
        if running.task.cancelled():
            raise ApiError(INTERNAL_ERROR, "the engine gave the call up")
        running.task.result()  # raises what it raised
    elif gone.done() and not running.stopped.done():
        running.stop(None)
        raise ClientGoneError
    else:
        if seconds is not None:  # a call that was stopped already keeps its own error
            running.stop(ApiError(UPSTREAM_TIMEOUT, f"no answer within {seconds:g} seconds"))
        await _tell_stop(running.stopped.result(), respond)


async def stream(items: Items, respond: Responder, media_type: Callable[[Any], str]) -> None:
    """Send the items, with the media type that the first one decides ({} where there is none).

    The first is awaited before the head goes out, so that an early error is a real one.
    """
    try:
        first = await anext(items, _NOTHING)
        await respond.begin(media_type({} if first is _NOTHING else first))
        if first is not _NOTHING:
            await respond.item(encode_item(first))
        async for item in items:
            await respond.item(encode_item(item))
    finally:
        await closed(items)


async def _tell_stop(error: ApiError | None, respond: Responder) -> None:
    await asyncio.sleep(0)  # let the cancelled task leave a send that it is waiting in
    if error is None:
        raise ClientGoneError
    with suppress(TimeoutError):  # a client that does not read cannot be told
        async with asyncio.timeout(ERROR_EVENT_SECONDS):
            await respond.error(error)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
