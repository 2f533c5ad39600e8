"""Further attempts are a share of the calls, and a few besides."""

from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.dispatch.budget import CEILING, FLOOR, REFILL, Budget
from tests.servers.clock import Clock


def test_little_traffic_may_retry() -> None:
    budget = Budget(Clock(0.0))
    assert sum(budget.spend(0.2) for _ in range(1000)) == FLOOR


def test_what_was_spent_comes_back_in_time() -> None:
    clock = Clock(0.0)
    budget = Budget(clock)
    while budget.spend(0.2):
        pass
    clock.now += 2
    assert sum(budget.spend(0.2) for _ in range(1000)) == 2 * REFILL
    clock.now += 10_000
    assert sum(budget.spend(0.2) for _ in range(1000)) == FLOOR


def test_a_ratio_of_nothing_is_no_retry_at_all() -> None:
    assert not Budget(Clock(0.0)).spend(0)


@given(calls=st.integers(0, 20_000), ratio=st.sampled_from([0.05, 0.2, 1.0]))
def test_calls_earn_their_share_and_no_more(calls: int, ratio: float) -> None:
    budget = Budget(Clock(0.0))
    budget.calls += calls
    spent = 0
    while budget.spend(ratio):
        spent += 1
    assert spent <= min(FLOOR + calls * ratio, CEILING)
    assert spent >= min(FLOOR + calls * ratio, CEILING) - 1.01
