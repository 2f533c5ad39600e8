"""A link between gateway and service that is bad in ways that can be set: a TCP proxy on loopback.

Latency, jitter, loss (of TCP's kind: a stall until it is sent again, or in the end a reset), bandwidth, a black hole
and half-closes. netem is not in every kernel; this needs none.
"""

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

_BLOCK: Final = 16_384
_UNDER_WAY: Final = 256  # blocks in one direction


@dataclass(frozen=True, slots=True)
class Link:
    """How a link is; each way is like this. Times are seconds, `bandwidth` bytes a second (0: no bound).

    `stalls` and `resets` are probabilities for each block of bytes; a stall lasts `stall`. `black_hole`: connections
    are taken and nothing passes. `half_close_after`: so many bytes of answers, then the service's half is closed; the
    proxy reads on.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float = 0.0
    stalls: float = 0.0
    stall: float = 0.2
    resets: float = 0.0
    black_hole: bool = False
    half_close_after: int | None = None

    def busy(self, size: int, chance: random.Random) -> float:
        """How long a block of `size` bytes takes the link, so that none after it can be sent."""
        stalled = self.stall if self.stalls and chance.random() < self.stalls else 0.0
        return stalled + (size / self.bandwidth if self.bandwidth else 0.0)

    def under_way(self, chance: random.Random) -> float:
        """How long it travels then, together with those before and after it."""
        return self.latency + self.jitter * chance.random()


class LinkResetError(ConnectionError):
    """The link lost too much: both ends are reset."""


class Proxy:
    """Listens on `port` and passes on to `target`; `link` may be replaced while it runs, also for open connections.

    `start` and `stop` belong to its event loop. `seed` makes what it does by chance the same each time.
    """

    def __init__(self, target: int, link: Link | None = None, seed: int = 7) -> None:
        self.link = link or Link()
        self.port = 0
        self.accepted = 0
        self._target = target
        self._chance = random.Random(seed)
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """The port refuses; open connections end."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def change(self, link: Link) -> None:
        """From now on it is like this."""
        self.link = link
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._passable()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, far, None))
                both.create_task(self._pass(far_reader, writer, self.link.half_close_after))
        except* LinkResetError:
            for one in (writer, far):
                _reset(one)
        except* ConnectionError:  # either end left in the middle
            pass
        finally:
            for one in (writer, far):
                if one is not None:
                    self._writers.discard(one)
                    one.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
        """One way, until it is closed. Raises LinkResetError."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)
        async with asyncio.TaskGroup() as ends:
            ends.create_task(self._enter(reader, under_way))
            ends.create_task(self._leave(under_way, writer, most))

    async def _enter(self, reader: asyncio.StreamReader, under_way: asyncio.Queue[tuple[float, bytes]]) -> None:
        clock = asyncio.get_running_loop().time
        free = arrives = 0.0
        while data := await reader.read(_BLOCK):
            link = self.link
            if link.resets and self._chance.random() < link.resets:
                raise LinkResetError
            free = max(free, clock()) + link.busy(len(data), self._chance)
            arrives = max(arrives, free + link.under_way(self._chance))  # none overtakes another
            await under_way.put((arrives, data))
        await under_way.put((arrives, b""))

    async def _leave(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, most: int | None
    ) -> None:
        clock = asyncio.get_running_loop().time
        room = inf if most is None else most
        while True:
            arrives, data = await under_way.get()
            wait = arrives - clock()
            if wait > 0:
                await asyncio.sleep(wait)
            await self._passable()
            if data and room > 0:
                writer.write(data if room == inf else data[: int(room)])
                await writer.drain()
                room -= len(data)
            if not data or room <= 0:
                with suppress(OSError):  # the other half may be gone already, or this one was closed before
                    writer.write_eof()
            if not data:
                return

    async def _passable(self) -> None:
        while self.link.black_hole:
            await self._changed.wait()


def _reset(writer: asyncio.StreamWriter | None) -> None:
    """RST instead of FIN."""
    if writer is None:
        return
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
