"""One connection to a service: requests out, one answer at a time in, told to the waiting story by one signal.

Laws: parser callbacks only note what came, the story is resumed once a read, after parsing; a connection is used
again only after an answer that was whole, framed and followed by nothing.
"""

import asyncio
from collections.abc import Callable

import httptools

from nexus.gateway.drive import Signal

_BODILESS = (204, 304)


class Connection(asyncio.Protocol):
    """An answer's state: `status` is 0 until its head came; `failure` says why it will never be whole.

    `touched` is False as long as no byte of the answer has come; `parts` are the bytes of its body that nobody has
    taken; `length` is None where the answer does not say it. `give_back` is told when the connection may be used
    again, `lost` when it is gone.
    """

    def __init__(self, give_back: Callable[["Connection"], None], lost: Callable[["Connection"], None]) -> None:
        self._give_back = give_back
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self.arrival = Signal()
        self.idle_since = 0.0
        self.reused = False
        self.closed = False
        self.busy = False
        self._parser = httptools.HttpResponseParser(self)
        self._expect_answer()

    def _expect_answer(self) -> None:
        self.parts: list[bytes] = []
        self._framed = False
        self._surplus = False
        self._keep_alive = False
        self.headers: list[tuple[bytes, bytes]] = []
        self.content_type = b""
        self.length: int | None = None
        self.status = 0
        self.touched = False
        self.complete = False
        self.failure = ""

    # --- for the story

    def request(self, head: bytes, body: bytes) -> None:
        """Send a request. Its answer is told by `arrival`, `status`, `headers`, `take`, `complete` and `failure`."""
        self.busy = True
        transport = self._transport
        if transport is None or transport.is_closing():
            self.failure = "the connection was closed"
            self.arrival.set()
        elif len(body) < 65_536:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)

    def take(self) -> bytes:
        parts = self.parts
        if not parts:
            return b""
        self.parts = []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pause(self) -> None:
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def proceed(self) -> None:
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def release(self) -> None:
        if not self.busy:
            return
        self.busy = False
        self.arrival.clear()
        if self.complete and self._keep_alive and self._framed and not self._surplus and not self.closed:
            self.reused = True
            self._expect_answer()
            self._give_back(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once; the service sees that nobody waits any more."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.busy:
            self.abort()  # nobody asked: an answer to nothing would become the answer to the next request
            return
        self.touched = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.failure = "the service switched protocols"
        except httptools.HttpParserError as error:
            self.failure = f"the service's answer is not valid HTTP ({error})"
        self.arrival.set()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.busy and not self.complete and not self.failure:
            if self.status >= 200 and not self._framed and exc is None:
                self.complete = True  # an answer without a length ends with its connection
            else:
                self.failure = f"the service closed the connection{f' ({exc})' if exc else ''}"
            self.arrival.set()
        self._lost(self)

    # --- httptools

    def on_message_begin(self) -> None:
        self._surplus = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._surplus:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = []
            return
        self.status = status
        self._keep_alive = self._parser.should_keep_alive()
        head = dict(self.headers)
        length = head.get(b"content-length")
        self.length = None if length is None else int(length)
        self.content_type = head.get(b"content-type", b"")
        self._framed = length is not None or b"transfer-encoding" in head or status in _BODILESS

    def on_body(self, body: bytes) -> None:
        if not self._surplus:
            self.parts.append(body)

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self.complete = True
