"""Latencies that were told are known for a while, of as many models as there is room for."""

import pytest

from nexus.gateway.dispatch.latency import FEWEST, HALF, MOST, Latencies

KEY = ("embeddings", "m")


def known(seconds: float, count: int = FEWEST, now: float = 0.0) -> Latencies:
    latencies = Latencies()
    for _ in range(count):
        latencies.add(KEY, seconds, now)
    return latencies


def test_nothing_is_told_of_few() -> None:
    assert Latencies().percentile(KEY, 0.95, 0.0) is None
    assert known(0.1, FEWEST - 1).percentile(KEY, 0.95, 0.0) is None
    assert known(0.1).percentile(KEY, 0.95, 0.0) == pytest.approx(0.1, rel=0.05)


def test_one_slow_call_of_many_does_not_count() -> None:
    latencies = known(0.1, 99)
    latencies.add(KEY, 60.0, 0.0)
    assert latencies.percentile(KEY, 0.95, 0.0) == pytest.approx(0.1, rel=0.05)
    for _ in range(5):
        latencies.add(KEY, 60.0, 0.0)
    assert latencies.percentile(KEY, 0.95, 0.0) == pytest.approx(60, rel=0.05)


def test_what_is_old_is_forgotten() -> None:
    latencies = known(0.1)
    assert latencies.percentile(KEY, 0.95, HALF * 1.9) == pytest.approx(0.1, rel=0.05)
    for _ in range(FEWEST):
        latencies.add(KEY, 0.5, HALF * 1.9)
    assert latencies.percentile(KEY, 0.95, HALF * 2.5) == pytest.approx(0.5, rel=0.05)
    assert known(0.1).percentile(KEY, 0.95, HALF * 2) is None


def test_models_are_told_apart_and_bounded() -> None:
    latencies = known(0.1)
    assert latencies.percentile(("embeddings", "other"), 0.95, 0.0) is None
    for number in range(2 * MOST):
        latencies.add(("embeddings", f"m{number}"), 0.1, HALF + number)
    assert len(latencies) == MOST
    assert latencies.percentile(KEY, 0.95, HALF) is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 1e9])
def test_what_is_out_of_bounds_counts_as_the_bound(seconds: float) -> None:
    told = known(seconds).percentile(KEY, 0.95, 0.0)
    assert told is not None
    assert 0.0001 <= told <= 1050
