"""A sound service on loopback, and the same with one fault put in between."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from nexus.sdk.app import build_app
from nexus.sdk.engine import Call, Engine
from nexus.sdk.environment import read_settings
from nexus.sdk.manifest import read_manifest
from nexus.sdk.serve import Server, bind
from nexus.sdk.service import Service

MANIFEST = """
[service]
name = "sound"
engine = "engine:Sound"
operations = ["completions"]
[[endpoints]]
operation = "sound.say"
path = "/v1/sound/say"
[capabilities]
max_concurrency = 2
max_queue = 8
[limits]
max_request_bytes = 100000
[[tools]]
name = "say"
description = "Say it again"
operation = "sound.say"
"""


class Prompt(BaseModel):
    prompt: str = Field(examples=["Once upon a time"])
    model: str | None = None
    stream: bool = False


class Say(BaseModel):
    text: str


class Sound(Engine):
    async def completions(self, request: Prompt, call: Call) -> Any:
        return self.pieces(request) if request.stream else {"text": request.prompt}

    async def pieces(self, request: Prompt) -> AsyncIterator[dict[str, str]]:
        for word in request.prompt.split():
            yield {"text": word}

    def sound_say(self, request: Say, call: Call) -> dict[str, str]:
        return {"text": request.text}


class _Thread(threading.Thread):
    """A server of its own loop."""

    def __init__(self, folder: Path, wrap: Callable[[ASGIApp], ASGIApp]) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.wrap = wrap
        self.listener = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.begun = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        manifest = read_manifest(self.folder)
        service = Service(manifest, read_settings(manifest, {}), lambda: Sound)
        app = self.wrap(build_app(service))
        server = Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
        self.ended, self.loop = asyncio.Event(), asyncio.get_running_loop()
        tasks = [asyncio.create_task(server.serve([self.listener])), asyncio.create_task(service.run())]
        self.begun.set()
        await self.ended.wait()
        await service.drain()
        tasks[1].cancel()
        server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)


Served = Callable[..., Any]


@pytest.fixture
def sound(tmp_path: Path) -> Served:
    """`with sound(wrap) as url:` serves the sound service, its application wrapped."""
    (tmp_path / "service.toml").write_text(MANIFEST)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.toml").write_text('id = "a"\naliases = ["small"]\n')

    @contextmanager
    def served(wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app) -> Iterator[str]:
        thread = _Thread(tmp_path, wrap)
        thread.start()
        assert thread.begun.wait(10)
        try:
            yield thread.url
        finally:
            thread.loop.call_soon_threadsafe(thread.ended.set)
            thread.join(20)
            assert not thread.is_alive()

    return served
