"""A budget is used up when nothing is left of one of its figures, here and elsewhere together."""

from datetime import UTC

import pytest

from nexus.policies.budgets import Budget, Budgets, UsedUp, used_up
from nexus.policies.spending import Meter, Spending
from nexus.store.rows import Amounts

DAY, MONTH = 86_400.0, 31 * 86_400.0


def meter(requests: int = 0, tokens: int = 0, seconds: float = 0.0, elsewhere: Amounts | None = None) -> Meter:
    made = Meter(0.0, DAY, elsewhere or Amounts())
    made.requests, made.tokens, made.engine_seconds = requests, tokens, seconds
    return made


@pytest.mark.parametrize(
    ("budget", "used", "figure"),
    [
        (Budget(), meter(9, 9, 9.0), None),
        (Budget(requests=2), meter(1, 9, 9.0), None),
        (Budget(requests=2), meter(2), "requests"),
        (Budget(requests=2), meter(1, elsewhere=Amounts(requests=1)), "requests"),
        (Budget(tokens=2), meter(9, 1, 9.0), None),
        (Budget(tokens=2), meter(tokens=3), "tokens"),
        (Budget(tokens=2), meter(tokens=1, elsewhere=Amounts(tokens=1)), "tokens"),
        (Budget(engine_seconds=2), meter(9, 9, 1.999), None),
        (Budget(engine_seconds=2), meter(seconds=1.5, elsewhere=Amounts(engine_seconds=0.5)), "engine_seconds"),
        (Budget(2, 2, 2), meter(1, 1, 2.0), "engine_seconds"),
    ],
)
def test_one_figure_is_enough(budget: Budget, used: Meter, figure: str | None) -> None:
    assert budget.used_up(used) == figure


def test_a_run_is_no_request() -> None:
    assert Budget(requests=1, tokens=5).used_up(meter(1, 5), request=False) == "tokens"
    assert Budget(requests=1).used_up(meter(1), request=False) is None


def spent(requests: int) -> Spending:
    spending = Spending()
    spending.at(0.0, UTC)
    for _ in range(requests):
        spending.add_request()
    return spending


def test_of_two_that_are_used_up_the_one_that_lasts_longer_is_told() -> None:
    budgets = Budgets(Budget(requests=2), Budget(requests=3))
    assert used_up(budgets, spent(1)) is None
    assert used_up(budgets, spent(2)) == UsedUp("day", "requests", 2, DAY)
    assert used_up(budgets, spent(3)) == UsedUp("month", "requests", 3, MONTH)
    assert used_up(budgets, spent(3), request=False) is None
    spending = spent(0)
    spending.add(0, 7.0)
    assert used_up(Budgets(Budget(engine_seconds=7)), spending) == UsedUp("day", "engine-seconds", 7, DAY)
