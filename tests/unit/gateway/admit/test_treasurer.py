"""Who has some of its budgets left is let in, who has not is told until when, and what calls use is counted once."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.usage import Usage
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.treasurer import Treasurer
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.relay.result import Relayed
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.spending import Spendings
from nexus.policies.token import Bearer
from nexus.store.rows import Amounts, UsedAmounts
from tests.servers.calls import make_call, make_request

ADA = Bearer("ada")
DAY = 86_400.0


@pytest.fixture
def spendings() -> Spendings:
    return Spendings()


@pytest.fixture
def treasurer(spendings: Spendings, clock: Any) -> Treasurer:
    return Treasurer(spendings, clock)


def refused(treasurer: Treasurer, budgets: Budgets, **options: bool) -> ApiError:
    with pytest.raises(ApiError) as caught:
        treasurer.check(ADA, budgets, **options)
    return caught.value


def test_a_refusal_says_which_and_until_when(treasurer: Treasurer, clock: Any) -> None:
    budgets = Budgets(Budget(requests=1))
    treasurer.check(ADA, budgets).add_request()
    error = refused(treasurer, budgets)
    assert (error.status, error.code, error.retry_after) == (429, "budget_exceeded", DAY - 1000)
    assert error.message == (
        "The token 'ada' has used up its budget of 1 requests a day; the next day begins at 1970-01-02 00:00 UTC."
    )
    treasurer.check(Bearer("bob"), budgets)
    treasurer.check(ADA, budgets, request=False)
    clock.now = DAY
    treasurer.check(ADA, budgets)


def test_until_when_is_told_in_the_zone_of_the_budgets(treasurer: Treasurer) -> None:
    budgets = Budgets(month=Budget(tokens=1), timezone="Asia/Tokyo", zone=ZoneInfo("Asia/Tokyo"))
    treasurer.check(ADA, budgets).add(1, 0.0)
    error = refused(treasurer, budgets)
    assert error.message.endswith("1 tokens a month; the next month begins at 1970-02-01 00:00 JST.")
    assert error.retry_after == 31 * DAY - 9 * 3600 - 1000


def test_what_others_have_used_counts(treasurer: Treasurer, spendings: Spendings) -> None:
    budgets = Budgets(Budget(engine_seconds=2))
    treasurer.check(ADA, budgets).add(0, 1.5)
    treasurer.check(ADA, budgets)
    spendings.learn([UsedAmounts("b", "ada", "day", 0.0, DAY, Amounts(engine_seconds=0.5))], 1000.0)
    assert "2 engine-seconds a day" in refused(treasurer, budgets).message


def test_a_call_gives_back_its_place_and_is_counted(spendings: Spendings, clock: Any) -> None:
    budgets, slots, lease = Budgets(Budget(tokens=100)), Slots(3), Lease()
    times = iter((2.0, 3.5))
    treasurer = Treasurer(spendings, clock, lambda: next(times))
    permit = treasurer.open(ADA, budgets, slots.admit(make_call()), lease)
    assert slots.taken == 1
    assert lease.stopwatch is not None
    lease.stopwatch.start()
    permit.release(make_request(), Relayed(200, usage=Usage(7, 5)))
    assert slots.taken == 0
    assert spendings.of("ada", clock.now, budgets.zone).day.here == Amounts(0, 12, 1.5)


def test_what_ends_after_midnight_belongs_to_the_new_day(
    treasurer: Treasurer, spendings: Spendings, clock: Any
) -> None:
    budgets = Budgets(Budget(tokens=10))
    permit = treasurer.open(ADA, budgets, Slots(1).admit(make_call()), None)
    clock.now = DAY + 1
    permit.release(make_request(), Relayed(200, usage=Usage(7, 5)))
    spending = spendings.of("ada", clock.now, budgets.zone)
    assert (spending.day.starts, spending.day.tokens, spending.month.tokens) == (DAY, 12, 12)
    assert refused(treasurer, budgets).retry_after == DAY - 1


def test_a_call_that_never_came_to_an_instance_has_used_nothing(
    treasurer: Treasurer, spendings: Spendings, clock: Any
) -> None:
    permit = treasurer.open(ADA, Budgets(), Slots(1).admit(make_call()), Lease())
    permit.release(make_request(), Relayed(503))
    assert spendings.of("ada", clock.now, Budgets().zone).day.here == Amounts()
