"""An HTTP/1.1 client inside the loop under test: sends the bytes it is given and reads answers by their framing."""

import asyncio
from contextlib import suppress
from typing import Self

from tests.servers.raw import Answer, ClosedError


class Connection:
    """One connection. Every wait is bounded by ten seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def finish_sending(self) -> None:
        """Close the sending half."""
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    async def head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Status and headers of the next answer, its body left unread. Raises ClosedError."""
        try:
            async with asyncio.timeout(10):
                head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ClosedError("closed before a whole head") from error
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = [line.partition(":") for line in lines]
        return int(first.split(" ")[1]), tuple((name.lower(), value.strip()) for name, _, value in fields)

    async def answer(self) -> Answer:
        """The next answer. Raises ClosedError."""
        status, headers = await self.head()
        values = dict(headers)
        if values.get("transfer-encoding") == "chunked":
            chunks = []
            while chunk := await self.chunk():
                chunks.append(chunk)
            body = b"".join(chunks)
        elif "content-length" in values:
            body = await self.exactly(int(values["content-length"]))
        else:
            body = await self.rest()
        return Answer(status, headers, body)

    async def exactly(self, size: int) -> bytes:
        """The next bytes. Raises ClosedError."""
        try:
            async with asyncio.timeout(10):
                return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ClosedError("closed in a body") from error

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end. Raises ClosedError."""
        line = b""
        while not line.endswith(b"\r\n"):
            line += await self.exactly(1)
        data = await self.exactly(int(line, 16) + 2)
        return data[:-2]

    async def rest(self) -> bytes:
        """Everything until the other end closes (or resets)."""
        parts = []
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                while data := await self._reader.read(65_536):
                    parts.append(data)
        return b"".join(parts)
