"""Sound files decoded by PyAV, and what is measured of their samples."""

import io
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import av
import numpy as np

RATE = 44100


@dataclass(frozen=True)
class Sound:
    """`samples` is frames by channels, full scale at 1."""

    rate: int
    samples: Any

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def heard(body: bytes, format: str | None = None) -> Sound:
    with av.open(io.BytesIO(body), format=format) as container:
        frames = list(container.decode(audio=0))
        rate, channels = frames[0].sample_rate, frames[0].layout.nb_channels
        resampler = av.AudioResampler("fltp", frames[0].layout.name, rate)
        parts = [part.to_ndarray() for frame in frames for part in resampler.resample(frame)]
    samples = np.concatenate(parts, axis=1).T
    assert samples.shape[1] == channels
    return Sound(rate, samples)


def loudness(samples: Any, rate: int = RATE) -> Any:
    """The root mean square of each second; a rest of less than half a second counts with the second before it."""
    count = max(1, round(len(samples) / rate))
    edges = [*(second * rate for second in range(count)), len(samples)]
    return np.array([np.sqrt(np.mean(samples[a:b] ** 2)) for a, b in pairwise(edges)])
