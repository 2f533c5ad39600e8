"""One call passed on to an upstream with its own fields, and the answer passed back as it comes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nexus.contract import sse
from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.contract.operations import BY_NAME
from nexus.sdk.engine import Content, Form
from nexus.sdk.upstream import EngineResponse, SseEvent
from nexus_openai_compatible.ending import FIELDS, Ending, UsageFold
from nexus_openai_compatible.errors import in_band
from nexus_openai_compatible.probing import path_of
from nexus_openai_compatible.upstreams import Route

_LARGEST: Final = 256 * 1024 * 1024
_DONE: Final = sse.DONE.decode()
_TOLD_USAGE: Final = ("chat.completions", "completions")
_AS_TEXT: Final = ("audio.transcriptions", "audio.translations")  # where a format without JSON can be asked for
_NO_TEXT: Final = ("text/html", "text/event-stream")
Items = AsyncGenerator[bytes | Content, None]


@dataclass(frozen=True, slots=True)
class Passage:
    """One call: the operation, where it goes, and its body as httpx takes it. `fold` puts usage into the last chunk."""

    operation: str
    route: Route
    request: Mapping[str, Any]
    fold: bool = False

    async def whole(self) -> Content:
        """The whole answer. Raises ApiError, also where it is no answer of this API's."""
        async with (
            self.route.member.used() as upstream,
            upstream.stream("POST", self._path, **self.request) as response,
        ):
            body = await response.body(_LARGEST)
            media_type = response.headers.get("content-type", "")
        if not _is_json(media_type):
            if not body or self.operation not in _AS_TEXT or media_type.startswith(_NO_TEXT):
                raise _unusable(f"it is {media_type or 'nothing'}")
            return Content(body, media_type)
        value = _object(body)
        if value.get("error"):  # some tell their failures with the status 200
            raise self._told(value)
        if not any(isinstance(value.get(field), str | list) for field in FIELDS[self.operation]):
            raise _unusable(f"it has no {FIELDS[self.operation][0]}")
        return Content(body, "application/json")

    async def events(self) -> Items:
        """The events as they come. Raises ApiError: for an error among them, and where they end before their end."""
        async with (
            self.route.member.used() as upstream,
            upstream.stream("POST", self._path, **self.request) as response,
            aclosing(self._events(response)) as items,
        ):
            async for item in items:
                yield item

    async def sound(self) -> Items:
        """Bytes as they come, the first with their media type; events where those were asked for."""
        async with (
            self.route.member.used() as upstream,
            upstream.stream("POST", self._path, **self.request) as response,
        ):
            media_type = response.headers.get("content-type", "") or "application/octet-stream"
            if media_type.startswith("text/event-stream"):
                async with aclosing(self._events(response)) as items:
                    async for item in items:
                        yield item
                return
            if _is_json(media_type) or media_type.startswith("text/html"):
                value = _object(await response.body(_LARGEST))
                raise self._told(value) if value.get("error") else _unusable("it is JSON, not sound")
            first = True
            async for chunk in response.chunks():
                yield Content(chunk, media_type) if first else chunk
                first = False
            if first:
                raise _unusable("it is empty")

    @property
    def _path(self) -> str:
        return path_of(self.operation).lstrip("/")

    async def _events(self, response: EngineResponse) -> AsyncGenerator[bytes, None]:
        ending, usage = Ending(self.operation), UsageFold()
        async for event in response.events():
            if event.data == _DONE:
                break
            value = _object(event.data.encode())
            if value.get("error"):
                raise self._told(value)
            ending.see(value)
            if not self.fold:
                yield _written(event)
                continue
            for chunk in usage.pass_on(value):
                yield sse.encode(msgspec.json.encode(chunk), event.event or None)
        else:
            if not ending.whole:
                raise _unusable("it broke off before its end")
        for chunk in usage.rest():
            yield sse.encode(msgspec.json.encode(chunk))

    def _told(self, value: Mapping[str, Any]) -> ApiError:
        return in_band(value, self.route.member.explain)


def json_passage(operation: str, route: Route, request: Mapping[str, Any]) -> Passage:
    """A call whose body is JSON: the body's own fields, under the model's name there."""
    body = {**request, "model": route.name}
    fold = (
        operation in _TOLD_USAGE
        and request.get("stream") is True
        and request.get("stream_options") is None
        and route.member.described.options.ask_usage
    )
    if fold:
        body["stream_options"] = {"include_usage": True}
    return Passage(operation, route, {"json": body}, fold)


def form_passage(operation: str, route: Route, form: Form) -> Passage:
    """A call whose body is a form: its fields and files, in the names that they had."""
    data: dict[str, Any] = {**form.fields, "model": route.name}
    data.update({f"{name}[]": list(texts) for name, texts in form.lists.items()})
    files = [
        (f"{name}[]" if len(uploads) > 1 else name, (one.filename or name, one.body, one.media_type))
        for name, uploads in form.uploads.items()
        for one in uploads
    ]
    return Passage(operation, route, {"data": data, "files": files})


def streams(operation: str, request: Mapping[str, Any] | Form) -> bool:
    """Whether the answer is to be events."""
    if BY_NAME[operation].stream != "sse":
        return False
    if isinstance(request, Form):
        return request.fields.get("stream", "").strip().lower() in ("true", "1")
    return request.get("stream") is True


def _written(event: SseEvent) -> bytes:
    return sse.encode(event.data.encode(), event.event or None)


def _is_json(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unusable("it is not JSON") from error
    if not isinstance(value, dict):
        raise _unusable("it is not a JSON object")
    return value


def _unusable(reason: str) -> ApiError:
    return ApiError(UPSTREAM_ERROR, f"the upstream's answer cannot be used: {reason}")
