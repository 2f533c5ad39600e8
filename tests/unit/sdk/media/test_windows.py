"""Windows: all of the samples again, cut where it is quiet."""

from itertools import pairwise

import numpy as np
import pytest

from nexus.sdk.media.recordings import RATE
from nexus.sdk.media.windows import quietest, windows

NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, 50 * RATE).astype(np.float32)


def test_windows_are_the_samples_again() -> None:
    pieces = np.array_split(NOISE, 700)
    cut = list(windows(pieces, 10))
    assert np.array_equal(np.concatenate([window.samples for window in cut]), NOISE)
    assert all(6 <= window.seconds <= 10 for window in cut[:-1])
    for before, after in pairwise(cut):
        assert after.offset == pytest.approx(before.offset + before.seconds)


def test_windows_are_cut_in_a_pause() -> None:
    samples = NOISE.copy()
    samples[8 * RATE : int(8.6 * RATE)] *= 0.01
    first = next(windows([samples], 10))
    assert 8.1 < first.seconds < 8.5


def test_of_equal_pauses_the_latest() -> None:
    assert quietest(np.zeros(10 * RATE, np.float32)) == pytest.approx(9.85 * RATE, abs=0.05 * RATE)
    assert quietest(np.zeros(100, np.float32)) == 100


def test_short_and_empty_recordings() -> None:
    assert [window.seconds for window in windows([NOISE[:RATE]], 10)] == [1.0]
    assert list(windows([], 10)) == []
