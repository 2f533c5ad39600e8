"""A real SDK server on loopback, in a thread of its own, for tests that meet a service as its callers do."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.sdk.engine import Engine
from nexus.sdk.environment import read_settings
from nexus.sdk.manifest import read_manifest
from nexus.sdk.serve import Server, bind, server_config
from nexus.sdk.service import Service

MANIFEST = """
[service]
name = "probe"
engine = "engine:Probe"
operations = ["chat.completions"]
[[endpoints]]
operation = "probe.ask"
path = "/v1/probe/ask"
streaming = "sse"
[[endpoints]]
operation = "probe.bytes"
path = "/v1/probe/bytes"
streaming = "bytes"
response_types = ["audio/wav"]
[[endpoints]]
operation = "probe.form"
path = "/v1/probe/form"
[[endpoints]]
operation = "probe.get"
method = "GET"
path = "/v1/probe/get"
[capabilities]
max_concurrency = 2
max_queue = 1
[limits]
max_request_bytes = 2000
timeout_seconds = 20
"""


def wait_until(held: Callable[[], bool], seconds: float = 10) -> None:
    """Wait on the condition itself."""
    deadline = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)


@dataclass
class Running:
    """A service that runs in a thread."""

    url: str
    port: int
    folder: Path
    service: Service
    loop: asyncio.AbstractEventLoop
    client: httpx.Client

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.client.post(path, **request)

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.client.get(path, **request)

    def ask(self, **body: Any) -> httpx.Response:
        return self.post("/v1/probe/ask", json=body)

    def until_ready(self) -> "Running":
        wait_until(lambda: self.get("/readyz").status_code == 200)
        return self

    def until(self, held: Callable[[], bool]) -> None:
        wait_until(held)

    def run(self, work: Any) -> Any:
        """A coroutine's result, run on the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(15)


class _Thread(threading.Thread):
    def __init__(self, folder: Path, environ: dict[str, str], engine: Callable[[], type[Engine]]) -> None:
        super().__init__(daemon=True)
        self.manifest = read_manifest(folder)
        self.settings = read_settings(self.manifest, {"NEXUS_MODELS_CACHE": str(folder / "cache"), **environ})
        self.engine = engine
        self.listener = bind("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.started = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.service = Service(self.manifest, self.settings, self.engine)
        self.server = Server(server_config(self.service))
        serving = asyncio.create_task(self.server.serve([self.listener]))
        running = asyncio.create_task(self.service.run())
        self.ended = asyncio.Event()
        self.started.set()
        await self.ended.wait()
        await self.service.drain()
        running.cancel()
        self.server.should_exit = True
        await asyncio.gather(serving, running, return_exceptions=True)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.ended.set)
        self.join(20)
        assert not self.is_alive()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(engine_class, manifest=MANIFEST, models={file: text}, change=(old, new), **environ)` → Running."""
    threads: list[_Thread] = []
    clients: list[httpx.Client] = []

    def begin(
        engine: type[Engine] | Callable[[], type[Engine]],
        manifest: str = MANIFEST,
        models: dict[str, str] | None = None,
        change: tuple[str, str] = ("", ""),
        **environ: str,
    ) -> Running:
        (tmp_path / "service.toml").write_text(manifest.replace(*change))
        if models is not None:
            (tmp_path / "models").mkdir(exist_ok=True)
            for name, text in models.items():
                (tmp_path / "models" / name).write_text(text)
        made = engine if not isinstance(engine, type) else lambda: engine
        thread = _Thread(tmp_path, {"NEXUS_DRAIN_SECONDS": "1", **environ}, made)
        thread.start()
        assert thread.started.wait(10)
        threads.append(thread)
        client = httpx.Client(base_url=f"http://127.0.0.1:{thread.port}", timeout=20, trust_env=False)
        clients.append(client)
        return Running(str(client.base_url), thread.port, tmp_path, thread.service, thread.loop, client)

    yield begin
    for client in clients:
        client.close()
    for thread in threads:
        thread.end()
