"""A model with random weights, made once and loaded once. All of this folder is skipped where torch is missing."""

import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from nexus.contract.wire.speech import SpeechRequest
from nexus.sdk.engine import Call, Content, Form, Model, Upload

sys.path.insert(0, str(Path(__file__).parent))  # for the model's module beside this file
MISSING = [name for name in ("torch", "pocket_tts") if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the packages that are not there."""
    reason = f"needs {', '.join(MISSING)}: run this folder's script `run`, which makes an environment with them"
    for item in items:
        if MISSING and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a model of random weights."""
    import tiny

    return tiny.save(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def model(tiny_file: Path) -> Model:
    """The entry of that model. At a temperature of 0 it says the same each time."""
    return Model(id="tiny", path=tiny_file, options={"voice": "hum", "temperature": 0})


@pytest.fixture(scope="session")
def engine(model: Model, tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from engine import PocketTtsEngine

    engine = PocketTtsEngine(
        {
            "NEXUS_POCKET_TTS_VOICES": str(tiny_file.parent / "voices"),
            "NEXUS_POCKET_TTS_CLONING": True,
            "NEXUS_MODELS_CACHE": str(tmp_path_factory.mktemp("cache")),
            "HF_TOKEN": None,
        }
    )
    engine.load(model)
    yield engine
    engine.unload(model)


@pytest.fixture
def speak(engine: Any, call: Call) -> Callable[..., Iterator[Any]]:
    """The engine asked as the SDK asks it."""

    def ask(text: str, call: Call = call, **fields: Any) -> Iterator[Any]:
        request = SpeechRequest.model_validate({"model": "tiny", "input": text, **fields})
        return iter(engine.audio_speech(request, call))

    return ask


@pytest.fixture
def clone(engine: Any, call: Call) -> Callable[..., Iterator[Any]]:
    """The engine asked to speak with the voice of a recording."""

    def ask(body: bytes | None, text: str = "Hello there.", **fields: str) -> Iterator[Any]:
        files = {} if body is None else {"file": Upload("me.wav", "audio/wav", body)}
        return iter(engine.audio_speech_cloned(Form({"model": "tiny", "input": text, **fields}, {}, files), call))

    return ask


@pytest.fixture(scope="session")
def whole() -> Callable[[Any], bytes]:
    return lambda items: b"".join(item.body if isinstance(item, Content) else item for item in items)


@pytest.fixture(scope="session")
def seconds_of() -> Callable[[bytes], float]:
    """How long a file's sound is, decoded."""

    def decode(body: bytes) -> float:
        with av.open(io.BytesIO(body), "r") as container:
            frames = list(container.decode(audio=0))
        return float(np.sum([frame.samples / frame.sample_rate for frame in frames]))

    return decode
