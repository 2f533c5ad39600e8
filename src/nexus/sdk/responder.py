"""One HTTP answer over ASGI: whole, streamed or an error, and never made to look finished when it is not."""

from collections.abc import Mapping
from typing import Final

from starlette.types import Send

from nexus.contract import sse
from nexus.contract.errors import REQUEST_TIMEOUT, ApiError
from nexus.sdk.answering import EVENTS, JSON
from nexus.sdk.engine import Content

_STREAM_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Responder:
    """Sends one answer.

    `status` is the status that was sent (None before), `outcome` the one to count: an error inside a stream has its
    own. `finished` tells whether the answer went out to its end.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._media_type = ""
        self.status: int | None = None
        self.outcome: int | None = None
        self.finished = False

    async def whole(self, content: Content, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """The whole answer at once."""
        length = {"content-length": str(len(content.body))}
        await self._start(status, content.media_type, {**length, **(headers or {})})
        await self._body(content.body, more=False)

    async def begin(self, media_type: str) -> None:
        """The head of a stream."""
        await self._start(200, media_type, _STREAM_HEADERS)

    async def item(self, data: bytes) -> None:
        """One piece of a stream; waits while the client reads slower than it is sent to."""
        await self._body(data, more=True)

    async def end(self, *, done_marker: bool) -> None:
        """The end of a whole stream."""
        await self._body(sse.encode(sse.DONE) if done_marker and self._media_type == EVENTS else b"", more=False)

    async def error(self, error: ApiError) -> None:
        """The error: as the answer; inside a stream of events as its last one; else nothing can be said, and the
        answer stays unfinished, so that the connection is broken off."""
        self.outcome = error.status
        if self.status is None:
            headers = error.headers()
            if error.kind is REQUEST_TIMEOUT:  # what is left of the request will not be waited for
                headers["connection"] = "close"
            await self.whole(Content(error.body(), JSON), error.status, headers)
        elif self._media_type == EVENTS and not self.finished:
            await self._body(sse.encode(error.body()), more=False)

    async def _start(self, status: int, media_type: str, headers: Mapping[str, str]) -> None:
        self.status = self.outcome = status
        self._media_type = media_type
        pairs = [(b"content-type", media_type.encode("latin-1"))]
        pairs += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self.finished = not more
