"""The real engine with the real models, loaded once for all tests of this folder, and recordings in many containers."""

import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from nexus.sdk.engine import Call, Form, Model, Upload  # noqa: E402 - the service's folder has to be on the path
from nexus.sdk.models import read_entry  # noqa: E402
from nexus.sdk.sources import resolve, unresolved  # noqa: E402
from tests.recordings import encoded  # noqa: E402


@pytest.fixture(scope="session")
def speech() -> Callable[[str], bytes]:
    """A recording of tests/data by its name: `museum` and `harbour` are English, `berlin` is German."""
    return lambda name: (FOLDER / "tests" / "data" / f"{name}.opus").read_bytes()


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Sound (16-bit, mono, by its rate) in a container of tests/recordings.py."""
    return encoded


@pytest.fixture(scope="session")
def recoded(speech: Callable[[str], bytes]) -> Callable[[str, str], bytes]:
    """A recording of tests/data in another container."""
    return lambda name, kind: encoded(_decoded(speech(name)), 48000, kind)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def models(cache: Path) -> dict[str, Model]:
    """The embedded models as their manifest entries describe them, their files found, by the file's name."""
    found = {}
    for name in ("base", "tiny-en"):
        entry = read_entry(FOLDER / "models" / f"{name}.toml")
        path, digest = resolve(entry, cache, threading.Event())
        found[name] = replace(unresolved(entry), path=path, digest=digest)
    return found


@pytest.fixture(scope="session")
def engine(models: dict[str, Model], cache: Path) -> Iterator[Any]:
    from engine import AsrEngine

    engine = AsrEngine(
        {
            "NEXUS_ASR_THREADS": 0,
            "NEXUS_ASR_MAX_SECONDS": 300,
            "NEXUS_ASR_MODELS": None,
            "NEXUS_MODELS_CACHE": str(cache),
        }
    )
    for model in models.values():
        engine.load(model)
    yield engine
    for model in models.values():
        engine.unload(model)


@pytest.fixture
def ask(engine: Any, models: dict[str, Model]) -> Callable[..., Any]:
    """The engine asked as the SDK asks it: with a form. Fields that are tuples are those of a `name[]`."""

    def ask(body: bytes | None, model: str = "tiny-en", task: str = "transcriptions", **fields: Any) -> Any:
        call = fields.pop("call", None) or Call("test", models[model], {})
        lists = {name: value for name, value in fields.items() if isinstance(value, tuple)}
        files = {} if body is None else {"file": Upload("speech", "application/octet-stream", body)}
        form = Form({name: text for name, text in fields.items() if name not in lists}, lists, files)
        return getattr(engine, f"audio_{task}")(form, call)

    return ask


def _decoded(body: bytes) -> np.ndarray:
    with av.open(io.BytesIO(body)) as container:
        resampler = av.AudioResampler("s16", "mono", 48000)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
