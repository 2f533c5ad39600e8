"""A little HTTP/1.1 server on loopback that answers as gin does: whole JSON, or lines in chunks, flushed one by one."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    body: Any


@dataclass(frozen=True, slots=True)
class Whole:
    """One answer. `body` None is an empty 200, as /api/delete gives."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Lines:
    """A stream of lines. An item of None breaks the connection off in the middle of a chunk."""

    items: AsyncIterator[Any]


Answer = Whole | Lines
Handler = Callable[[Asked], Awaitable[Answer]]


def go_json(value: Any) -> bytes:
    """JSON as Go writes it: no blanks, and `<`, `>` and `&` escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").encode()


class WireServer:
    """Serves `handler` in a thread of its own; `aborted` are the requests whose callers left before their end."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.port = port
        self.asked: list[Asked] = []
        self.aborted: list[Asked] = []
        self.left = threading.Event()
        self._thread.start()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen (again, on the same port)."""
        self._run(self._listen())

    def stop(self) -> None:
        """Die: nothing listens any more, and what was open is cut."""
        self._run(self._die())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _die(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.transport.abort()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                await self._answer(asked, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering = asyncio.create_task(self._write(asked, writer))
        leaving = asyncio.create_task(reader.read(1))
        done, _ = await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answering not in done:
            self.aborted.append(asked)
            self.left.set()
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            raise ConnectionError
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        answering.result()

    async def _write(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer = await self._handler(asked)
        if isinstance(answer, Whole):
            body = b"" if answer.body is None else go_json(answer.body)
            kind = b"" if answer.body is None else b"Content-Type: application/json; charset=utf-8\r\n"
            writer.write(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (answer.status, kind, len(body), body))
            await writer.drain()
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head)
        async for item in answer.items:
            if item is None:
                writer.write(b'40\r\n{"model":"')
                await writer.drain()
                writer.close()
                raise ConnectionError
            line = item if isinstance(item, bytes) else go_json(item) + b"\n"
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, json.loads(body) if body else None)
