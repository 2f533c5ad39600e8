"""The other end of connections to a service, byte for byte in a test's own hands."""

import asyncio
import re
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


class Side:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> tuple[bytes, bytes]:
        """The next request: its head (with the empty line) and its body."""
        async with asyncio.timeout(10):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            return head, await self._reader.readexactly(int(length[1])) if length else b""

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def sent(self) -> None:
        """Wait until the kernel has taken nearly all that was sent."""
        await self._writer.drain()

    def answer(self, body: bytes = b"{}", *lines: bytes, status: int = 200) -> None:
        """A whole answer with its length."""
        fields = b"".join(line + b"\r\n" for line in lines)
        self.send(b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (status, fields, len(body), body))

    def events(self, *events: bytes) -> None:
        """The head of an event stream that lasts as long as the connection, and its first events."""
        self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(events))

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """RST instead of FIN."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def closed(self) -> None:
        """Wait until the gateway has closed its end."""
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                while await self._reader.read(65_536):
                    pass


class Peer:
    """A listening service on loopback. Use as an asynchronous context manager, inside the loop under test."""

    def __init__(self) -> None:
        self._sides: asyncio.Queue[Side] = asyncio.Queue()
        self._open: list[Side] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def accept(self) -> Side:
        """The next connection."""
        async with asyncio.timeout(10):
            return await self._sides.get()

    async def called(self) -> Side:
        """The next call that is posted; questions about progress, which come besides, are answered with 404."""
        while True:
            side = await self.accept()
            head, _ = await side.request()
            if head.startswith(b"POST "):
                return side
            side.answer(status=404)

    async def stop(self) -> None:
        """The port refuses from now on; connections stay."""
        self._server.close()
        await self._server.wait_closed()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = Side(reader, writer)
        self._open.append(side)
        self._sides.put_nowait(side)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for side in self._open:
            side.close()
        await self.stop()
