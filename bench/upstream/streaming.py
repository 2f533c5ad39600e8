"""The upstream for streams: a bare asyncio protocol that sends tokens at a pace, each with the time it was sent.

Run as `python -m bench.upstream.streaming PORT`. A chat request's `max_tokens` says how many tokens to send and its
`user` field (`interval_ms=20`) at what pace; 0 sends as fast as the reader takes them. Without `stream`, and for
the service contract's GETs, it answers fixed bytes.
"""

import asyncio
import sys
import time
from typing import cast

import httptools
import msgspec
import uvloop

from bench.upstream.answers import CHAT, END_OF_STREAM, GETS, token_chunk

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


class _Chat(msgspec.Struct):
    max_tokens: int = 16
    stream: bool = False
    user: str = ""

    @property
    def interval(self) -> float:
        """Seconds between tokens."""
        _, _, milliseconds = self.user.partition("interval_ms=")
        return float(milliseconds or 0) / 1000


_decoder = msgspec.json.Decoder(_Chat)


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class Upstream(asyncio.Protocol):
    """One connection of a subject."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""
        self._left = 0
        self._interval = 0.0
        self._next = 0.0
        self._paused = False
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._left and self._timer is None:
            self._send_token()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url.partition(b"?")[0]
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            known = GETS.get(self._path.decode())
            self._transport.write(_answer(known) if known else _answer(b"{}", b"404 Not Found"))
            return
        chat = _decoder.decode(self._body)
        if not chat.stream:
            self._transport.write(_answer(CHAT))
            return
        self._transport.write(_STREAM_HEAD)
        self._left = chat.max_tokens
        self._interval = chat.interval
        self._next = self._loop.time()
        self._send_token()

    def _send_token(self) -> None:
        self._timer = None
        if self._transport.is_closing():
            return
        event = token_chunk(time.monotonic_ns())
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self._left -= 1
        if not self._left:
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(END_OF_STREAM), END_OF_STREAM))
        elif self._interval:
            self._next += self._interval
            self._timer = self._loop.call_at(self._next, self._send_token)
        elif not self._paused:
            self._timer = self._loop.call_soon(self._send_token)


async def serve(port: int) -> None:
    """Listen on loopback until cancelled."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
