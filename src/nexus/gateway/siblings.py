"""What the workers of one gateway have to tell one another: each answers on a socket in the state folder.

A question is one line and the end of what is sent; its answer is all that comes back. Only who may look into the state
folder can ask.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from nexus.gateway.record.merged import merged
from nexus.gateway.setting_types import Worker

PATIENCE: Final = 1.0
_LONGEST: Final = 64 * 1024
Answer = Callable[[bytes], Awaitable[bytes]]


class OnlyChild:
    """There are no others."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def tell(self, what: bytes) -> Collection[bytes]:
        """Nobody hears it, and nobody answers."""
        return ()

    async def metrics(self, own: bytes) -> bytes:
        """The text for a scrape: the one that there is."""
        return own


class Siblings:
    """The other workers; `answers` are what this one answers, by the first word of a question."""

    def __init__(self, worker: Worker, folder: Path, answers: Mapping[bytes, Answer]) -> None:
        self.worker = worker
        self._folder = folder
        self._answers = answers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to answer. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(self.worker.number)
        path.unlink(missing_ok=True)  # of one that was killed
        self._server = await asyncio.start_unix_server(self._serve, path, limit=_LONGEST)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path(self.worker.number).unlink(missing_ok=True)

    async def tell(self, what: bytes) -> Collection[bytes]:
        """Have the others know something, as far as they can be reached; what they answer."""
        return (await self.ask(what)).values()

    async def ask(self, question: bytes) -> dict[int, bytes]:
        """What the others answer, by their numbers; those that do not within a second are left out."""
        others = [number for number in range(1, self.worker.count + 1) if number != self.worker.number]
        answers = await asyncio.gather(*(self._ask_one(number, question) for number in others))
        return {number: answer for number, answer in zip(others, answers, strict=True) if answer is not None}

    async def metrics(self, own: bytes) -> bytes:
        """The text for a scrape, whichever worker is asked: that of all."""
        return merged({**await self.ask(b"metrics"), self.worker.number: own})

    def _path(self, number: int) -> Path:
        return self._folder / f"{self.worker.family}.{number}.sock"

    async def _ask_one(self, number: int, question: bytes) -> bytes | None:
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_unix_connection(self._path(number))
                with contextlib.closing(writer):
                    writer.write(question + b"\n")
                    writer.write_eof()
                    return await reader.read(-1)
        except (OSError, TimeoutError):  # it is being started again
            return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(PATIENCE):
                word, _, rest = (await reader.readline()).strip().partition(b" ")
                answer = self._answers.get(word)
                if answer is not None:
                    writer.write(await answer(rest))
                    await writer.drain()
