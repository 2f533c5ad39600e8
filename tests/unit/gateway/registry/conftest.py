"""Services on loopback that answer as they are told, and some that do not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Events(list[tuple[str, str, dict[str, Any]]]):
    def __call__(self, level: str, event: str, **fields: object) -> None:
        self.append((level, event, fields))

    def named(self, name: str) -> list[dict[str, Any]]:
        return [fields for _, event, fields in self if event == name]


def make_card(name: str = "tts", **changes: Any) -> dict[str, Any]:
    card: dict[str, Any] = {
        "schema_version": "v1",
        "service": {"name": name},
        "capabilities": {"operations": ["audio.speech"]},
        "models": [{"id": f"{name}-model"}],
    }
    return card | changes


class Service:
    """A service whose pages are attributes: (status, body) by path. `asked` counts the requests for each."""

    def __init__(self, card: dict[str, Any]) -> None:
        self.pages: dict[str, tuple[int, bytes]] = {
            "/health": (200, b'{"status":"ok"}'),
            "/readyz": (200, b'{"status":"ready"}'),
        }
        self.asked: dict[str, int] = {}
        self.headers: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self.describe(card)

    def describe(self, card: dict[str, Any]) -> None:
        self.pages["/v1/metadata"] = (200, json.dumps(card).encode())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.headers.append(head)
            path = head.split(" ")[1]
            self.asked[path] = self.asked.get(path, 0) + 1
            status, body = self.pages.get(path, (404, b""))
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class StartService(Protocol):
    async def __call__(self, card: dict[str, Any] | None = None) -> Service: ...


class StartHostile(Protocol):
    async def __call__(self, handler: Handler) -> str: ...


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def card() -> Callable[..., dict[str, Any]]:
    return make_card


@pytest.fixture
async def start_service() -> AsyncIterator[StartService]:
    """Starts a well-behaved service."""
    async with AsyncExitStack() as stack:

        async def start(card: dict[str, Any] | None = None) -> Service:
            service = Service(card or make_card())
            await service.start()
            stack.push_async_callback(service.stop)
            return service

        yield start


@pytest.fixture
async def start_hostile() -> AsyncIterator[StartHostile]:
    """Starts a server that does to each connection what `handler` does; gives its base URL."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(handler: Handler) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(handle(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Hostile:
    """Ways in which a server can be a bad one."""

    @staticmethod
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    @staticmethod
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    @staticmethod
    async def endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
            await writer.drain()

    @staticmethod
    async def huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(1600):  # 100 MB
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    @staticmethod
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    @staticmethod
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    @staticmethod
    async def other_protocol(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n" * 3)
        await reader.read()

    @staticmethod
    def saying(answer: bytes) -> Handler:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

        return handler

    @staticmethod
    def with_card(answer: bytes) -> Handler:
        """Healthy and ready, but with this for a card."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
            writer.write(answer if b"/v1/metadata" in head else ok)
            await writer.drain()

        return handler


@pytest.fixture
def hostile() -> type[Hostile]:
    return Hostile


class Until(Protocol):
    async def __call__(self, condition: Callable[[], object], seconds: float = 10) -> None: ...


@pytest.fixture
def until() -> Until:
    """Waits until a condition holds."""

    async def wait(condition: Callable[[], object], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    return wait
