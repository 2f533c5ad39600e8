"""The one seam to an engine's HTTP API (httpx): every failure is an ApiError, every wait has a bound.

When the call that waits here is cancelled, because its caller left, the connection to the engine is closed at once.
"""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

import httpx
from httpx import AsyncClient

from nexus.contract import sse
from nexus.contract.errors import NO_READY_SERVICE, UPSTREAM_ERROR, UPSTREAM_TIMEOUT, ApiError
from nexus.contract.surrogates import mended
from nexus.sdk import explaining

__all__ = ["FAILURES", "AsyncClient", "EngineResponse", "SseEvent", "Upstream", "new_client", "reason_of"]

T = TypeVar("T")
FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL)
LARGEST_ANSWER: Final = 64 * 1024 * 1024
LARGEST_PIECE: Final = 8 * 1024 * 1024  # one line or event of a stream
_LARGEST_REFUSAL: Final = 64 * 1024
_IDENTITY: Final = {"accept-encoding": "identity"}  # an answer's size is then what comes over the wire
_KEEP_SECONDS: Final = 3.0  # shorter than servers do, so that none closes a connection under a request
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def new_client(
    connect: float, base_url: str = "", headers: Mapping[str, str] = _NONE, trust: ssl.SSLContext | None = None
) -> AsyncClient:
    """A client that follows no redirect and no proxy of the environment; `connect` in seconds, no other time is up.

    `trust` is whom it trusts over TLS, the usual authorities where it is None.
    """
    return AsyncClient(
        base_url=base_url,
        headers={**_IDENTITY, **headers},
        timeout=httpx.Timeout(None, connect=connect),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=16, keepalive_expiry=_KEEP_SECONDS),
        verify=True if trust is None else trust,
        trust_env=False,
    )


def reason_of(error: Exception) -> str:
    """An error of httpx's in one line."""
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event of an engine's stream; `event` is empty where it has no name."""

    event: str
    data: str


class EngineResponse:
    """An answer that has begun, with a status of success. Read it once, by one of the three ways."""

    def __init__(self, response: httpx.Response, idle: float) -> None:
        self._response = response
        self._idle = idle
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises ApiError: 502 where the answer breaks off, 504 where it stands still."""
        parts = self._response.aiter_bytes()
        while True:
            chunk = await _bounded(anext(parts, None), self._idle, "the engine's answer stood still for")
            if chunk is None:
                return
            yield chunk

    async def lines(self) -> AsyncIterator[str]:
        """The lines without their ends, the empty ones too; what stands after the last end is one as well."""
        rest = b""
        async for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield _line(line)
            if len(rest) > LARGEST_PIECE:
                raise ApiError(UPSTREAM_ERROR, f"the engine sent a line of more than {LARGEST_PIECE} bytes")
        if rest:
            yield _line(rest)

    async def events(self) -> AsyncIterator[SseEvent]:
        """The server-sent events; comments are left out, an event that was not finished is none."""
        media_type = self.headers.get("content-type", "")
        if not media_type.startswith("text/event-stream"):
            raise ApiError(UPSTREAM_ERROR, f"the engine answered with {media_type or 'no type'}, not with events")
        parser = sse.SseParser(LARGEST_PIECE)
        async for chunk in self.chunks():
            try:
                events = parser.feed(chunk)
            except sse.SseTooLargeError as error:
                raise ApiError(UPSTREAM_ERROR, f"the engine sent too large an event: {error}") from error
            for event in events:
                yield _told(event)
        for event in parser.close():
            yield _told(event)

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises ApiError (502) where it is larger than `limit` bytes."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise ApiError(UPSTREAM_ERROR, f"the engine's answer is larger than {limit} bytes")
        return bytes(body)


class Upstream:
    """An engine's HTTP API at `base_url`; make it in `Engine.open`, close it in `Engine.close`.

    Times are in seconds: `connect` until there is a connection, `first_byte` from then until the answer's head, the
    request's sending included, `idle` between two pieces of the answer. `explain` says what an answer that is no
    success means; by default `explaining.explain`. A `retry-after` of the engine's goes with it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] = _NONE,
        connect: float = 2.0,
        first_byte: float = 600.0,
        idle: float = 120.0,
        explain: Callable[[int, bytes], ApiError] | None = None,
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"the engine's address is to be an http or https URL, not {str(url)!r}")
        self._client = new_client(connect, base_url, headers)
        self._place = f"{url.scheme}://{url.netloc.decode('ascii')}"
        self._first_byte = first_byte
        self._idle = idle
        self._explain = explain or explaining.explain

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._client.aclose()

    async def get_json(self, path: str, **params: Any) -> Any:
        """The JSON value at a path."""
        async with self._sent("GET", path, params=params or None) as response:
            return _json(await response.body(LARGEST_ANSWER), response, path)

    async def get_bytes(self, path: str, limit: int = LARGEST_ANSWER) -> tuple[bytes, str]:
        """What stands at a path, at most `limit` bytes, and its media type."""
        async with self._sent("GET", path) as response:
            return await response.body(limit), response.headers.get("content-type", "")

    async def send_json(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        content: bytes | None = None,
        files: Any = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = _NONE,
    ) -> Any:
        """The JSON value that a request is answered by; None where the answer is empty.

        The request's body is a JSON value, bytes (`content`), or a form (`files` and `data`, as httpx has them).
        """
        request: dict[str, Any] = {"json": json, "content": content, "files": files, "data": data, "headers": headers}
        async with self._sent(method, path, **request) as response:
            return _json(await response.body(LARGEST_ANSWER), response, path)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        content: bytes | None = None,
        files: Any = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = _NONE,
    ) -> AsyncIterator[EngineResponse]:
        """An answer as it comes; see `send_json` for the request."""
        request: dict[str, Any] = {"json": json, "content": content, "files": files, "data": data, "headers": headers}
        async with self._sent(method, path, **request) as response:
            yield response

    @asynccontextmanager
    async def _sent(self, method: str, path: str, **request: Any) -> AsyncIterator[EngineResponse]:
        try:
            built = self._client.build_request(method, path, **request)
        except httpx.InvalidURL as error:  # the path may hold names that the engine gave
            raise ApiError(UPSTREAM_ERROR, f"the engine named what no address can hold: {reason_of(error)}") from error
        sending = self._client.send(built, stream=True)
        try:
            answer = await _bounded(sending, self._first_byte, "the engine did not begin to answer within")
        except ApiError as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                message = f"the engine at {self._place} cannot be reached: {reason_of(error.__cause__)}"
                raise ApiError(NO_READY_SERVICE, message, retry_after=explaining.RETRY_AFTER) from error.__cause__
            raise
        try:
            response = EngineResponse(answer, self._idle)
            if not answer.is_success:
                raise await self._refusal(response)
            yield response
        finally:
            await answer.aclose()

    async def _refusal(self, response: EngineResponse) -> ApiError:
        error = self._explain(response.status, await _beginning(response))
        seconds = response.headers.get("retry-after", "")
        if seconds.isdigit():
            error.retry_after = float(seconds)
        return error


async def _beginning(response: EngineResponse) -> bytes:
    """What a refusal says, as far as it comes and is not absurdly long: its status counts in any case."""
    body = bytearray()
    with suppress(ApiError):
        async for chunk in response.chunks():
            body += chunk
            if len(body) >= _LARGEST_REFUSAL:
                break
    return bytes(body[:_LARGEST_REFUSAL])


async def _bounded(work: Awaitable[T], seconds: float, late: str) -> T:
    """What `work` gives within so many seconds. Raises ApiError: 504 in the words of `late`, or 502."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise ApiError(UPSTREAM_TIMEOUT, f"{late} {seconds:g} seconds") from error
    except FAILURES as error:
        raise ApiError(UPSTREAM_ERROR, f"the engine broke its answer off: {reason_of(error)}") from error


def _json(body: bytes, response: EngineResponse, path: str) -> Any:
    if not body:
        return None
    try:
        value = json.loads(body)
        return mended(value) if _HALF.search(body) else value
    except (ValueError, RecursionError) as error:
        media_type = response.headers.get("content-type") or "no type"
        raise ApiError(UPSTREAM_ERROR, f"the engine answered {path} with {media_type}, which is no JSON") from error


def _line(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")


def _told(event: sse.Event) -> SseEvent:
    return SseEvent(event.event, event.data.decode("utf-8", "replace"))
