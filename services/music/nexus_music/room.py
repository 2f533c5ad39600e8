"""The room that the music is played in, and what keeps its loudest moments within full scale."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nexus_music.synth import CHANNELS, RATE, Samples

_ECHO_SECONDS: Final = 1.1
_ECHO_LEVEL: Final = 0.16
_KNEE: Final = 0.7
_CEILING: Final = 0.97


class Room:
    """Adds an echo that decays, the same for every piece: each block convolved with a hall's answer (overlap-add)."""

    def __init__(self, block: int) -> None:
        """`block` is the most frames that `play` is given at once."""
        answer = _hall()
        self._size = 1 << (block + len(answer) - 1).bit_length()
        self._answer = np.fft.rfft(answer, self._size, axis=0)
        self._tail = np.zeros((self._size, CHANNELS))

    def play(self, dry: Samples) -> Samples:
        """The next frames with the echo of those and of what came before."""
        spectrum = np.fft.rfft(dry, self._size, axis=0)
        self._tail += np.fft.irfft(spectrum * self._answer, self._size, axis=0)
        frames = len(dry)
        wet = self._tail[:frames]
        heard: Samples = (dry + wet).astype(np.float32)
        self._tail = np.concatenate((self._tail[frames:], np.zeros((frames, CHANNELS))))
        return heard


def limited(samples: Samples) -> Samples:
    """The samples with what is above the knee bent below the ceiling: louder stays louder, nothing clips."""
    size = np.abs(samples)
    room = _CEILING - _KNEE
    bent = _KNEE + room * np.tanh((size - _KNEE) / room)
    held: Samples = np.where(size > _KNEE, np.copysign(bent, samples), samples).astype(np.float32)
    return held


def _hall() -> NDArray[np.float64]:
    """The answer of a hall to a click: noise that decays exponentially, its highs first, different left and right."""
    frames = round(_ECHO_SECONDS * RATE)
    noise = np.random.default_rng(1).standard_normal((frames, CHANNELS))
    time = np.arange(frames)[:, None] / RATE
    dull = np.cumsum(noise, axis=0)
    dull = (dull[24:] - dull[:-24]) / 24  # a moving average: a plain low-pass filter
    bright = noise[: len(dull)] * 0.25
    answer = dull * np.exp(-time[: len(dull)] * 5.5) + bright * np.exp(-time[: len(dull)] * 14)
    answer[: round(0.012 * RATE)] = 0  # the way to the wall and back
    whole: NDArray[np.float64] = _ECHO_LEVEL * answer / np.sqrt((answer**2).sum(axis=0))
    return whole
