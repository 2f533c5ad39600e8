"""One address before several gateways: a TCP balancer that gives new connections to those that are ready."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_BLOCK: Final = 65_536
LOOK_SECONDS: Final = 0.1


class Balancer:
    """In turn, to those whose /readyz says so; a connection that is refused goes to the next one.

    `start` and `stop` belong to its event loop.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.port = 0
        self._ports = list(ports)
        self._ready: set[int] = set(ports)
        self._turn = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Take no more connections."""
        self._looking.cancel()
        self._server.close()

    async def _look(self) -> None:
        while True:
            for port in self._ports:
                ready = await _is_ready(port)
                (self._ready.add if ready else self._ready.discard)(port)
            await asyncio.sleep(LOOK_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        start = self._turn % len(self._ports)
        turns = self._ports[start:] + self._ports[:start]
        ordered = sorted(turns, key=lambda port: port not in self._ready)
        try:
            for port in ordered:
                with suppress(ConnectionRefusedError):
                    far_reader, far = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(_pass(reader, far), _pass(far_reader, writer))
                    return
        except ConnectionError:  # either end left in the middle
            pass
        finally:
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_BLOCK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def _is_ready(port: int) -> bool:
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            head = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in head
