"""A service that misbehaves by the name of the model that it is asked for: `python -m tests.chaos.fault_server`.

It speaks the service contract, counts what it is asked (`GET /attempts`), and plays the faults of `faults.py`. A model
is named `fault--anything`; `held--N` answers only once N calls are here together; any other name is answered well.
"""

import argparse
import asyncio
import json
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos.answers import OPERATIONS
from tests.chaos.exchange import Exchange, read_exchange
from tests.chaos.faults import FAULTS, LARGER, Fault

SEPARATOR: Final = "--"
_OPERATIONS: Final = ("chat.completions", "audio.speech", "images.generations", "audio.transcriptions")
_HELD: Final = "held"
LEAVING_SECONDS: Final = 2.0
"""After SIGTERM it is not ready for so long, and answers all the same; then it ends what it is at, and goes."""


@dataclass
class Book:
    """What several servers were asked, together: attempts by model and by request, and who was asked first."""

    attempts: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, model: str, request_id: str, server: str) -> tuple[int, bool]:
        """Count one attempt; its number for the model, and whether this server is the one that misbehaves."""
        with self.lock:
            self.attempts[model] += 1
            self.requests[request_id] += 1
            return self.attempts[model], self.first.setdefault(model, server) == server

    def hold(self, model: str) -> int:
        """One more call is held; how many that makes."""
        with self.lock:
            self.held[model] += 1
            return self.held[model]


@dataclass(frozen=True, slots=True)
class Nature:
    """How a server is: who it says it is, what models it has, how many calls it takes at once, its pace.

    `pause` is the time between two pieces of a sound answer. It works on `places` calls at once, as its card says; more
    of them wait for one another.
    """

    name: str
    models: Sequence[str]
    places: int = 1024
    pause: float = 0.0


class FaultServer:
    """One instance on a port of `host`; `start` and `stop` belong to its event loop."""

    def __init__(self, nature: Nature, book: Book | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.nature = nature
        self.book = book or Book()
        self.host = host
        self.port = port
        self.running = 0
        self.most_running = 0
        self.failing = False  # 500 for whatever is asked, ready all the while
        self.leaving = False  # no longer ready, but still at work
        self._places = asyncio.Semaphore(nature.places)
        self._writers: set[asyncio.StreamWriter] = set()
        self._free = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=2**20, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a killed process: the port refuses, every connection ends. `start` brings it back on its port."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (x := await read_exchange(reader, writer)) is not None:
                await self._answer(x)
                if not x.kept:
                    return
                await writer.drain()
        except ConnectionError:  # the gateway leaves whenever it likes
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, x: Exchange) -> None:
        page = self._page(x.path)
        if x.path == "/readyz" and self.leaving:
            x.refuse(503, "no_ready_service", "it is leaving")
        elif page is not None:
            x.whole(200, json.dumps(page).encode())
        elif x.path not in OPERATIONS:
            x.refuse(404, "not_found", "no such path")
        elif x.damaged:
            x.refuse(400, "upload_damaged", "the upload is not what was sent")
        else:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            try:
                async with self._places:
                    await self._play(x)
            finally:
                self.running -= 1

    async def _play(self, x: Exchange) -> None:
        x.attempt, misbehaves = self.book.enter(x.model, x.headers.get("x-request-id", ""), self.url)
        word, _, rest = x.model.partition(SEPARATOR)
        fault = FAULTS.get(word)
        if self.failing:
            x.refuse(500, "internal_error", "it fails at everything just now")
        elif word == _HELD:
            await self._hold(x, int(rest))
        elif fault is None:
            await x.well(pause=self.nature.pause)
        elif misbehaves and not rest.endswith(LARGER) and (fault.times is None or x.attempt <= fault.times):
            await fault.play(x)
        else:
            await fault.sound(x)

    async def _hold(self, x: Exchange, number: int) -> None:
        if self.book.hold(x.model) == number:
            self._free.set()
        await self._free.wait()
        await x.well()

    def _page(self, path: str) -> Any:
        if path in ("/health", "/readyz"):
            return {"status": "ok" if path == "/health" else "ready", "checks": {}}
        if path == "/attempts":
            return {"models": self.book.attempts, "requests": self.book.requests, "running": self.running}
        return self._card() if path in ("/v1/metadata", "/metadata") else None

    def _card(self) -> dict[str, Any]:
        nature = self.nature
        return {
            "schema_version": "v1",
            "service": {"name": nature.name, "version": "1"},
            "instance": f"{nature.name}-{self.port}",
            "capabilities": {"operations": _OPERATIONS, "streaming": True, "max_concurrency": nature.places},
            "models": [_model(name) for name in nature.models],
        }


def _model(name: str) -> dict[str, Any]:
    fault: Fault | None = FAULTS.get(name.partition(SEPARATOR)[0])
    return {
        "id": name,
        "operations": _OPERATIONS,
        "state": "ready",
        "continuation": bool(fault and fault.continuation),
        "context_length": 4096 if name.endswith(LARGER) else 8,
    }


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default="faulty")
    parser.add_argument("--models", nargs="+", default=["sound"])
    parser.add_argument("--places", type=int, default=1024)
    parser.add_argument("--pause", type=float, default=0.0)
    said = parser.parse_args()
    nature = Nature(said.name, said.models, said.places, said.pause)
    server = FaultServer(nature, host=said.host, port=said.port)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await server.start()
    await ended.wait()
    server.leaving = True
    await asyncio.sleep(LEAVING_SECONDS)
    while server.running:
        await asyncio.sleep(0.05)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(_main())
