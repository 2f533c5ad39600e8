"""A stream of samples cut into windows where it is quiet, so that no word is cut in two."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from nexus.sdk.media.recordings import RATE, Samples

_STEP: Final = RATE // 50  # loudness is looked at every 20 ms
_PAUSE: Final = 15  # steps of the pause that is looked for: 0.3 s
_SEARCHED: Final = 0.4  # the part of a window, at its end, in which it may be cut


@dataclass(frozen=True, slots=True)
class Window:
    """Some of a recording's samples; the first is at `offset` seconds of it."""

    offset: float
    samples: Samples

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def windows(pieces: Iterable[Samples], longest: float) -> Iterator[Window]:
    """The pieces, joined and cut anew into windows of at most `longest` seconds; the last may be of any length."""
    size = int(longest * RATE)
    held: list[Samples] = []
    count = 0
    offset = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        while count > size:
            whole = np.concatenate(held)
            cut = quietest(whole[:size])
            yield Window(offset / RATE, whole[:cut])
            offset += cut
            count -= cut
            held = [whole[cut:]]
    if count:
        yield Window(offset / RATE, np.concatenate(held))


def quietest(samples: Samples) -> int:
    """Where to cut: in the middle of the quietest 0.3 s of the samples' last part; of equally quiet ones the latest."""
    first = int(len(samples) * (1 - _SEARCHED))
    tail = samples[first : first + (len(samples) - first) // _STEP * _STEP]
    loudness = np.square(tail, dtype=np.float64).reshape(-1, _STEP).mean(axis=1)
    if len(loudness) <= _PAUSE:
        return len(samples)
    sums = np.concatenate(([0.0], np.cumsum(loudness)))
    pauses = sums[_PAUSE:] - sums[:-_PAUSE]
    latest = len(pauses) - 1 - int(np.argmin(pauses[::-1]))
    return first + latest * _STEP + _PAUSE * _STEP // 2
