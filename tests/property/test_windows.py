"""The sliding window against a log of every moment: no minute has more than the limit, and little is lost by slots."""

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from nexus.policies.windows import SECONDS, SLOTS, Window

SLOT = SECONDS / SLOTS
pauses = st.one_of(
    st.floats(0, 0.01), st.floats(0, 1), st.floats(0, 90), st.sampled_from((0.0, SLOT, SECONDS, SECONDS - SLOT))
)


def admitted(times: Sequence[float], limit: int) -> list[float]:
    """The moments at which somebody who asks at `times` is let in."""
    window, let_in = Window(), []
    for now in times:
        if window.take(limit, now):
            let_in.append(now)
    return let_in


def moments(start: float, waits: Sequence[float]) -> list[float]:
    times, now = [], start
    for wait in waits:
        now += wait
        times.append(now)
    return times


@given(st.floats(0, 1e6), st.lists(pauses, max_size=300), st.integers(1, 20))
@example(0.49, [0.0, 59.95, 0.0, 0.1], 2)
def test_no_minute_has_more_than_the_limit(start: float, waits: list[float], limit: int) -> None:
    let_in = admitted(moments(start, waits), limit)
    for first, one_too_many in zip(let_in, let_in[limit:], strict=False):
        assert one_too_many - first >= SECONDS - 1e-9


@given(st.floats(0, 1e6), st.lists(pauses, max_size=300), st.integers(1, 20))
def test_who_is_refused_has_used_the_limit_within_a_minute_and_a_slot(
    start: float, waits: list[float], limit: int
) -> None:
    times = moments(start, waits)
    let_in = admitted(times, limit)
    for now in times:
        if now not in let_in:
            recent = [one for one in let_in if now - SECONDS - SLOT <= one <= now]
            assert len(recent) >= limit


@given(st.floats(0, 1e6), st.integers(1, 400), st.floats(0.01, 0.5))
def test_under_load_at_least_ninety_five_in_a_hundred_are_let_in(start: float, limit: int, step: float) -> None:
    minutes = 5
    asked = [start + step * turn for turn in range(int(minutes * SECONDS / step))]
    most = min(limit, int(SECONDS / step))  # no more can be let in than ask
    assert len(admitted(asked, limit)) >= 0.95 * most * minutes


@given(st.lists(st.tuples(pauses, st.integers(1, 50)), max_size=100))
def test_amounts_are_those_of_a_log_but_for_the_oldest_slot(steps: list[tuple[float, int]]) -> None:
    window, log, now = Window(), [], 0.0
    for wait, amount in steps:
        now += wait
        window.add(amount, now)
        log.append((now, amount))
        least = sum(much for then, much in log if then >= now - SECONDS + 1e-9)
        most = sum(much for then, much in log if then >= now - SECONDS - SLOT - 1e-9)
        assert least <= window.count(now) <= most
        if window.count(now) > amount:
            over = window.count(now) - amount
            assert window.count(now) - over <= amount
            assert 0 < window.seconds_until_less(over, now) <= SECONDS + SLOT
