"""The real engine with the real voice, loaded once for all tests of this folder; and sound read again."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from nexus.contract.wire.speech import SpeechRequest  # noqa: E402 - the service's folder has to be on the path
from nexus.sdk.engine import Call, Model  # noqa: E402


@dataclass(frozen=True)
class Sound:
    """Decoded sound: samples from -1 to 1, and what the file said of itself."""

    samples: Any
    rate: int
    channels: int
    codec: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def loudness(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.samples))))


@pytest.fixture(scope="session")
def hear() -> Callable[[bytes], Sound]:
    """Decodes a file, whatever its format."""

    def decode(body: bytes) -> Sound:
        with av.open(io.BytesIO(body)) as container:
            stream = container.streams.audio[0]
            frames = list(container.decode(stream))
            resampler = av.AudioResampler("fltp", "mono", frames[0].sample_rate)
            out = [part for frame in [*frames, None] for part in resampler.resample(frame)]
            samples = np.concatenate([frame.to_ndarray()[0] for frame in out])
            return Sound(samples, frames[0].sample_rate, stream.channels, stream.codec_context.name)

    return decode


@pytest.fixture(scope="session")
def model(find_model: Callable[[Path], Model]) -> Model:
    """The embedded model as its manifest entry describes it, its file found."""
    return find_model(FOLDER / "models" / "joe.toml")


@pytest.fixture(scope="session")
def engine(model: Model) -> Iterator[Any]:
    from engine import TtsEngine

    engine = TtsEngine({"NEXUS_TTS_THREADS": 1})
    engine.load(model)
    yield engine
    engine.unload(model)


@pytest.fixture
def speak(engine: Any, call: Call) -> Callable[..., Iterator[Any]]:
    """The engine asked as the SDK asks it: with a request read from JSON."""

    def ask(text: str, **fields: Any) -> Iterator[Any]:
        body = json.dumps({"model": "piper-joe", "input": text, **fields})
        return iter(engine.audio_speech(SpeechRequest.model_validate_json(body), call))

    return ask
