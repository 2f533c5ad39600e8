"""One connection to a service: requests out, one answer at a time in, told to the waiting story by one signal.

Laws: parser callbacks only note what came, the story is resumed once a read, after parsing; a connection is used
again only after an answer that was whole, framed and followed by nothing. llhttp decides whether a head is valid and
what frames the body; the lines of a valid head are taken from the bytes themselves and go to the client as they are.
"""

import asyncio
from collections.abc import Callable

import httptools

from nexus.contract.usage import Usage
from nexus.gateway.drive import Signal
from nexus.gateway.recall import Known, remember
from nexus.gateway.upstream.head import AnswerHead, read_head

_ONE_WRITE = 65_536  # bytes of a body up to which it is worth copying behind its head
_LARGEST_HEAD = 262_144  # bytes of an answer's head, after which it is given up
_NOTHING = AnswerHead()


class Answer(Signal):
    """One answer while it comes in: the signal that something of it has come, or its end.

    `head` says nothing until it is here; `parts` are the bytes of the body that nobody has taken; `length` is None
    where the service does not say it; `touched` is False as long as no byte has come; `failure` says why it will
    never be `complete`, `stalled` that nobody waits for it any longer. `usage` is what a whole one in JSON cost, once
    it `was_read`.
    """

    head = _NOTHING
    length: int | None = None
    touched = False
    complete = False
    stalled = False
    was_read = False
    usage: Usage | None = None

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.parts: list[bytes] = []
        self.failure = ""

    @property
    def is_lost(self) -> bool:
        """Whether a connection that was idle before ended without a byte of it: the request may have reached nobody."""
        return bool(self.failure) and not self.touched and self._connection.reused

    def take(self) -> bytes:
        """The bytes of the body that have come since the last call, in order; empty if none."""
        parts, self.parts = self.parts, []
        return b"".join(parts)

    def pause(self) -> None:
        """Read no more for now."""
        self._connection.pause()

    def proceed(self) -> None:
        """Read on."""
        self._connection.proceed()

    def fail(self, reason: str) -> None:
        """Nothing more will come."""
        if not self.complete and not self.failure:
            self.failure = reason
        self.set()

    def stall(self) -> None:
        """It has not gone on in time: nobody waits for the rest."""
        self.stalled = True
        self.fail("it stalled")

    def fill(self, head: AnswerHead, body: bytes) -> None:
        """It has come, whole."""
        self.head = head
        self.length = len(body)
        self.parts = [body]
        self.touched = self.complete = True
        self.set()


class Connection(asyncio.Protocol):
    """`give_back` is told when the connection may be used again, `lost` when it is gone."""

    reused = False
    closed = False
    idle_since = 0.0
    _answer: Answer | None = None
    _head = b""
    _surplus = False
    _keep_alive = False
    _known: Known[AnswerHead] | None = None  # by what the next answer may be known

    def __init__(self, give_back: Callable[["Connection"], None], lost: Callable[["Connection"], None]) -> None:
        self._give_back = give_back
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    # --- for the story

    @property
    def busy(self) -> bool:
        """True from a request until its answer is released."""
        return self._answer is not None

    def request(self, head: bytes, body: bytes) -> Answer:
        """Send a request; its answer, of which nothing has come yet."""
        self._answer = answer = Answer(self)
        transport = self._transport
        if transport is None or transport.is_closing():
            answer.fail("the connection was closed")
        elif len(body) < _ONE_WRITE:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        return answer

    def release(self) -> None:
        """The answer is done with: keep the connection for the next one, or close it if it was not whole."""
        answer = self._answer
        if answer is None:
            return
        self._answer = None
        if answer.complete and self._keep_alive and not self.closed:
            self.reused = True
            self._give_back(self)
        else:
            self.abort()

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def proceed(self) -> None:
        """Read on."""
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once; the service sees that nobody waits any more."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.abort()  # nobody asked: an answer to nothing would become the answer to the next request
            return
        known = self._known
        if known is not None and not answer.touched:
            body = known.body_of(data)
            if body is not None:
                answer.fill(known.meaning, body)
                return
        self._parse(answer, data)

    def _parse(self, answer: Answer, data: bytes) -> None:
        first = not answer.touched
        answer.touched = True
        if not answer.head.status:
            self._head += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            answer.failure = "the service switched protocols"
        except httptools.HttpParserError as error:
            answer.failure = f"the service's answer is not valid HTTP ({error})"
        if not answer.head.status and len(self._head) > _LARGEST_HEAD:
            answer.failure = f"the head of the service's answer is larger than {_LARGEST_HEAD} bytes"
        if first:
            recurs = answer.complete and answer.head.recurs and self._keep_alive
            self._known = remember(data, sum(map(len, answer.parts)), answer.head) if recurs else None
        answer.set()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        answer = self._answer
        if answer is not None:
            if answer.head.status and not answer.head.framed and exc is None:
                answer.complete = True  # an answer without a length ends with its connection
            answer.fail(f"the service closed the connection{f' ({exc})' if exc else ''}")
        self._lost(self)

    # --- httptools

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.complete:
            self._surplus = True
            self._keep_alive = False

    def on_headers_complete(self) -> None:
        answer = self._answer
        if answer is None or self._surplus:
            return
        head = self._head.lstrip(b"\r\n")
        end = head.index(b"\r\n\r\n")
        status = self._parser.get_status_code()
        if status < 200:
            self._head = head[end + 4 :]
            return
        self._head = b""
        answer.head, answer.length = read_head(status, head[head.index(b"\r\n") + 2 : end + 2])
        self._keep_alive = answer.head.framed and self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and not self._surplus:
            self._answer.parts.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and self._answer.head.status:
            self._answer.complete = True
