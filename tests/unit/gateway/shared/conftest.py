"""A Redis that a test plays itself, and real ones."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from nexus.gateway.shared.resp import Replies
from tests.servers.redis import Redis, why_not


class Played:
    """Takes one connection after the other; a test reads its commands and says what it likes."""

    def __init__(self) -> None:
        self._commands: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._taken = asyncio.Event()
        self.connections = 0
        self.gone = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        self._taken.set()
        replies = Replies()
        try:
            while data := await reader.read(65_536):
                for command in replies.take(data):
                    self._commands.put_nowait(command)  # type: ignore[arg-type]
        except ConnectionResetError:
            pass
        self.gone.set()
        writer.close()

    async def command(self) -> list[bytes]:
        async with asyncio.timeout(10):
            return await self._commands.get()

    def say(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    async def hang_up(self) -> None:
        async with asyncio.timeout(10):
            await self._taken.wait()
        assert self._writer is not None
        self._writer.close()

    async def close(self) -> None:
        self._server.close()
        if self._writer is not None:
            self._writer.close()
        await self._server.wait_closed()


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    played = Played()
    await played.start()
    yield played
    await played.close()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Redis]:
    if reason := why_not():
        pytest.skip(reason)
    with Redis() as server:
        yield server


@pytest.fixture
def looked(redis_server: Redis) -> Iterator[Any]:
    """A client that looks into it, emptied."""
    with redis_server.client() as client:
        client.flushdb()
        client.script_flush()
        yield client
