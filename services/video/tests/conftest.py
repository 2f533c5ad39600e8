"""The real engine as the SDK calls it, with a small server in the gateway's place."""

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER / "tests" / "material")]

from video_material import Gateway, Images  # noqa: E402 - its folder has to be on the path

from nexus.contract.wire.videos import VideosRequest  # noqa: E402 - as above
from nexus.sdk.asking import Asker  # noqa: E402
from nexus.sdk.engine import Call, Model  # noqa: E402
from nexus.sdk.models import read_entry  # noqa: E402
from nexus.sdk.sources import unresolved  # noqa: E402


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Images)
    server.asked, server.refusal = [], None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Gateway(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def model() -> Model:
    """The embedded model as its manifest entry describes it."""
    return unresolved(read_entry(FOLDER / "models" / "animated-stills.toml"))


@pytest.fixture
def engine(model: Model) -> Any:
    from engine import VideoEngine

    engine = VideoEngine({"NEXUS_VIDEO_THREADS": 1})
    engine.load(model)
    return engine


@pytest.fixture
async def call(model: Model, gateway: Gateway) -> Any:
    """A call that came through the gateway, as the SDK makes it."""
    asker = Asker(("images.generations",), 30)
    yield Call("test", model, gateway.headers, asker.ask)
    await asker.close()


@pytest.fixture
def film(engine: Any, call: Call) -> Callable[..., Any]:
    """The engine asked with a request read from JSON, in a thread as the SDK does it; small and short by default."""

    async def ask(**fields: Any) -> Any:
        asked = {"prompt": "a lake", "size": "160x96", "fps": 12, "num_frames": 12, "seed": 7, **fields}
        request = VideosRequest.model_validate_json(json.dumps(asked))
        return await asyncio.to_thread(partial(engine.videos, request, call))

    return ask
