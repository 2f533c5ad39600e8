"""What is told of latencies is the exact percentile of the recent ones, or at most a twentieth more."""

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.dispatch.latency import FEWEST, GROWTH, HALF, LONGEST, SHORTEST, Latencies

KEY = ("embeddings", "m")
SLACK = 1 + 1e-6

seconds = st.floats(SHORTEST, LONGEST / 2)
shares = st.integers(50, 99).map(lambda number: number / 100)
pauses = st.sampled_from([0.0, 0.01, 1.0, HALF / 2, HALF, 3 * HALF])


def exact(taken: list[float], share: float) -> float:
    """The nearest-rank percentile."""
    return sorted(taken)[ceil(round(share * len(taken), 9)) - 1]


@given(st.lists(seconds, min_size=FEWEST, max_size=300), shares)
def test_it_is_the_exact_percentile_or_a_little_more(taken: list[float], share: float) -> None:
    latencies = Latencies()
    for one in taken:
        latencies.add(KEY, one, 0.0)
    told = latencies.percentile(KEY, share, 0.0)
    assert told is not None
    assert exact(taken, share) <= told * SLACK
    assert told <= exact(taken, share) * GROWTH * SLACK


@given(st.lists(st.tuples(pauses, st.floats(0, 10 * LONGEST)), max_size=300), pauses)
def test_what_is_old_is_forgotten_and_what_is_new_is_not(taken: list[tuple[float, float]], last: float) -> None:
    latencies, now = Latencies(), 0.0
    known: list[tuple[float, float]] = []
    for pause, one in taken:
        now += pause
        latencies.add(KEY, one, now)
        known.append((now, one))
    now += last
    told = latencies.percentile(KEY, 0.95, now)
    new = [one for at, one in known if now - at < HALF]
    all_that_may_count = [one for at, one in known if now - at < 2 * HALF]
    if len(new) >= FEWEST:
        assert told is not None
    if told is not None:
        assert len(all_that_may_count) >= FEWEST
        assert min(all_that_may_count) <= told * SLACK or told >= LONGEST
        assert told <= max(SHORTEST, min(LONGEST, max(all_that_may_count))) * GROWTH * SLACK
