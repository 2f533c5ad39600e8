"""One request of the lane on its connection, and the answer to it: the caller, as the stages see it.

To uvicorn's protocol it is one more request-response cycle (`keep_alive`, `response_complete`, `disconnected`).
Laws: one answer a request; after `finish`, `cut` or a whole answer nothing more is written; whatever ends the
story, an answer that was begun is either finished or cut.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter, time
from typing import TYPE_CHECKING, Final

from nexus.contract.errors import INTERNAL_ERROR, UPSTREAM_ERROR, ApiError
from nexus.contract.sse import encode
from nexus.gateway.drive import Drive, Signal
from nexus.gateway.edge import wire
from nexus.gateway.edge.identity import new_id
from nexus.gateway.recall import Known
from nexus.gateway.values import ClientGoneError, Head, LateError, Outcome, Request

if TYPE_CHECKING:
    from nexus.gateway.edge.reading import RequestReader

NEVER: Final = float("inf")
KEEP_ALIVE_SECONDS: Final = 5.0  # between two comments to a caller that waits, and before the first
_BODILESS: Final = (204, 304)
_EVENTS: Final = b"text/event-stream"
_EVENTS_HEAD: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
    b"x-request-id: %b\r\n%b"
)
_log = logging.getLogger(__name__)


class Exchange(Drive):
    """See the module. `arrived`: the whole request has come; `refusal`: why it will not be served;
    `begun`: it was handed on or answered. `_commented`: the head of an event stream was sent, and nothing of an answer.

    Most attributes keep the class's values for most requests, so they are set only where they differ.
    """

    wants_continue = False
    refusal: ApiError | None = None
    arrived = False
    deadline = NEVER
    head_sent = False
    response_complete = False
    disconnected = False
    write_paused = False
    begun = False
    known: Known[Head] | None = None  # by what the next request on the connection may be known
    parts: Sequence[bytes] = ()
    _chunked = False
    last_deadline = NEVER
    comment_at = NEVER
    _comment = b""
    _comment_head = b""
    _waiting_for = ""
    _writable: Signal | None = None  # made by the first one to wait for it

    def __init__(self, protocol: RequestReader, head: Head) -> None:
        self.protocol = protocol
        self.head = head
        self.request_id = head.request_id or new_id()
        self.started = perf_counter()
        self.keep_alive = True
        self.http10 = self.head_only = self._commented = False  # every answer looks at these

    # --- the request

    def begin(self) -> None:
        """The request is whole and first in line: tell its story, or refuse it."""
        if self.refusal is not None:
            self.refuse(self.refusal)
            return
        parts, self.parts = self.parts, ()
        self.tell(parts[0] if len(parts) == 1 else b"".join(parts), perf_counter())

    def tell(self, body: bytes, arrived: float) -> None:
        """Tell the story of the request, which has arrived with this body."""
        self.begun = self.arrived = True
        self.drive(self.protocol.edge.story(Request(self.head, body, self.request_id, self.started, arrived), self))

    @property
    def is_everyday(self) -> bool:
        """True if it was begun at once, on a connection of HTTP/1.1 that stays open, for a standard path by a token."""
        usual = self.begun and self.refusal is None and not self.wants_continue
        usual = usual and self.keep_alive and not self.http10
        return usual and self.head.endpoint.standard and self.head.bearer.role is None and not self.head.bearer.lent

    def refuse(self, error: ApiError) -> None:
        """Answer with `error` without telling the story, and record it."""
        self.begun = True
        received = sum(map(len, self.parts))
        self.parts = ()
        self._send_error(error)
        self.protocol.edge.record(
            Outcome(
                ts=time(),
                level="info",
                event="request",
                request_id=self.request_id,
                token=self.head.token,
                operation=self.head.endpoint.operation,
                status=error.status,
                ms=int((perf_counter() - self.started) * 100_000) / 100,
                bytes_in=received,
                error=error.code,
            )
        )

    def gone(self) -> None:
        """The client has left: end the story at once, in whatever phase it is."""
        self.disconnected = True
        self.interrupt(ClientGoneError("the client closed the connection"))

    def is_late(self, now: float) -> bool:
        """True once something that was to happen has not."""
        return self.deadline < now or self.last_deadline < now

    def expire(self) -> None:
        """A deadline has passed: interrupt the story with what did not happen in time."""
        final = self.last_deadline <= self.protocol.loop.time()
        self.deadline = NEVER  # the last one stands: whatever the story tries next, it has no more time
        self.interrupt(LateError(self._waiting_for, final=final))

    def failed(self, error: BaseException) -> None:
        """The story has broken, and has recorded that: what is left is to tell the client."""
        _log.error("the request path failed", exc_info=error, extra={"request_id": self.request_id})
        if self.response_complete or self.disconnected:
            return
        if self.head_sent and not self._commented:
            self.cut()
        else:
            self._send_error(ApiError(INTERNAL_ERROR, "The gateway failed on this request; its log says why."))

    # --- bounds

    def expect_within(self, seconds: float, what: str, total: float | None = None) -> None:
        self._waiting_for = what
        now = self.protocol.loop.time()
        self.deadline = now + seconds
        if total is not None:
            self.last_deadline = now + total

    def end_within(self, seconds: float) -> None:
        self.last_deadline = self.protocol.loop.time() + seconds

    # --- while there is no answer

    def keep_waiting(self, why: str, head: bytes) -> None:
        self._comment = f": {' '.join(why.split())}\n\n".encode()
        self._comment_head = head
        if self.comment_at == NEVER and not self.head_sent:
            self.comment_at = self.protocol.loop.time() + KEEP_ALIVE_SECONDS

    def comment(self, now: float) -> None:
        """It is time to tell the caller that its answer is still to come."""
        self.comment_at = now + KEEP_ALIVE_SECONDS
        if not self._commented:
            self._commented = self.head_sent = True
            self._write_head(200, _EVENTS_HEAD % (self.request_id.encode(), self._comment_head), None)
        if not self.write_paused:
            self.send(self._comment)

    def _go_on(self, status: int, head: bytes) -> None:
        """The answer begins after its head was sent: what that should have told of the service becomes a comment.

        Raises ApiError (502) for an answer that is neither an error nor a stream of events.
        """
        if status < 400 and _EVENTS not in head.lower():
            raise ApiError(UPSTREAM_ERROR, "The service was asked for a stream and did not answer with one.")
        self._commented = False
        self.comment_at = NEVER
        names = [b": %b\n" % line for line in head.split(b"\r\n") if line.startswith(b"x-nexus-")]
        if names:
            self.send(b"".join(names) + b"\n")

    # --- the answer

    def pause(self) -> None:
        """The connection's write buffer is full."""
        self.write_paused = True

    def proceed(self) -> None:
        """There is room again."""
        if self.write_paused:
            self.write_paused = False
            if self._writable is not None:
                self._writable.set()

    async def drain(self) -> None:
        if self._writable is None:
            self._writable = Signal()
        while self.write_paused:
            await self._writable

    def send_whole(self, status: int, head: bytes, body: bytes) -> None:
        if self._commented:
            self._go_on(status, head)
            self.send(encode(body) if status >= 400 else body)
            self.finish_and_close() if status >= 400 else self.finish()
            return
        self.head_sent = self.response_complete = True
        framing = b"" if status in _BODILESS else b"content-length: %d\r\n" % len(body)
        protocol = self.protocol
        connection = b"" if self.keep_alive and self.arrived and not self.http10 else self._connection()
        body = b"" if self.head_only else body
        lines = (wire.status_line(status), protocol.date_line(), head, framing, connection, b"\r\n", body)
        protocol.transport.write(b"".join(lines))
        protocol.on_exchange_complete(self)

    def send_head(self, status: int, head: bytes, length: int | None) -> None:
        if self._commented:
            self._go_on(status, head)
            return
        self.head_sent = True
        self.comment_at = NEVER
        self._write_head(status, head, length)

    def _write_head(self, status: int, head: bytes, length: int | None) -> None:
        framing = b""
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        elif self.http10:
            self.keep_alive = False  # the end of the connection is the end of the body
        elif status not in _BODILESS:
            self._chunked = True
            framing = wire.CHUNKED
        protocol = self.protocol
        lines = (wire.status_line(status), protocol.date_line(), head, framing, self._connection(), b"\r\n")
        protocol.transport.write(b"".join(lines))

    def send(self, data: bytes) -> None:
        self.protocol.transport.write(wire.chunk(data) if self._chunked else data)

    def finish(self) -> None:
        if self._chunked:
            self.protocol.transport.write(wire.LAST_CHUNK)
        self._complete()

    def finish_and_close(self) -> None:
        self.keep_alive = False
        self.finish()

    def cut(self) -> None:
        self.response_complete = True
        self.protocol.transport.abort()

    def _send_error(self, error: ApiError) -> None:
        self.send_whole(error.status, wire.error_head(error, self.request_id), error.body())

    def _connection(self) -> bytes:
        if not self.arrived:
            self.keep_alive = False  # the rest of the request is still on its way and will not be read
        if not self.keep_alive:
            return wire.CLOSE
        return wire.KEEP_ALIVE if self.http10 else b""

    def _complete(self) -> None:
        self.response_complete = True
        self.protocol.on_exchange_complete(self)
