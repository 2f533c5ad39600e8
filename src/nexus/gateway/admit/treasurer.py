"""Lets in whose budgets are not used up, and counts what their calls use.

What is counted is in memory: nobody here waits for the database, which others tell of it (`gateway/budgets.py`).
"""

import datetime
import time
from collections.abc import Callable
from typing import Final, Protocol

from nexus.contract.errors import BUDGET_EXCEEDED, ApiError
from nexus.gateway.admit.spent import Spent
from nexus.policies.budgets import Budgets, UsedUp, used_up
from nexus.policies.spending import Spending, Spendings
from nexus.policies.token import Bearer

_HUMAN: Final = "%Y-%m-%d %H:%M %Z"


class Place(Protocol):
    """What a call has besides its budgets. See `gate.Permit`."""

    def release(self, spent: Spent, /) -> None: ...


class Treasurer:
    """`now` is the time of day, in Unix seconds."""

    def __init__(self, spendings: Spendings, now: Callable[[], float] = time.time) -> None:
        self._spendings = spendings
        self._now = now

    def check(self, bearer: Bearer, budgets: Budgets, *, request: bool = True) -> None:
        """Raises ApiError (429) where a budget is used up. Without `request`, that of requests is not looked at."""
        now = self._now()
        over = used_up(budgets, self._spendings.of(bearer.name, now, budgets.zone), request=request)
        if over is not None:
            raise _refusal(bearer, budgets, over, now)

    def count_request(self, bearer: Bearer, budgets: Budgets) -> None:
        """One more, which was let in."""
        self._spendings.of(bearer.name, self._now(), budgets.zone).add_request()

    def open(self, bearer: Bearer, budgets: Budgets, place: Place) -> "BudgetAllowance":
        """What a call that was let in has; once it is released, what the call used is counted."""
        spending = self._spendings.of(bearer.name, self._now(), budgets.zone)
        return BudgetAllowance(spending, budgets, place, self._now)


class BudgetAllowance:
    """What a call has whose caller has budgets: `place` is all that it would have without."""

    __slots__ = ("_budgets", "_now", "_place", "_spending")

    def __init__(self, spending: Spending, budgets: Budgets, place: Place, now: Callable[[], float]) -> None:
        self._spending = spending
        self._budgets = budgets
        self._place = place
        self._now = now

    def release(self, spent: Spent) -> None:
        """Give back the place, which sees to it that tokens are known, and count."""
        self._place.release(spent)
        stopwatch = spent.stopwatch
        if stopwatch is not None:
            stopwatch.stop()
        self._spending.at(self._now(), self._budgets.zone)
        self._spending.add(
            0 if spent.usage is None else spent.usage.total_tokens, 0.0 if stopwatch is None else stopwatch.seconds
        )


def _refusal(bearer: Bearer, budgets: Budgets, over: UsedUp, now: float) -> ApiError:
    until = datetime.datetime.fromtimestamp(over.ends, budgets.zone).strftime(_HUMAN)
    message = (
        f"The token {bearer.name!r} has used up its budget of {over.limit} {over.unit} a {over.kind}; "
        f"the next {over.kind} begins at {until}."
    )
    return ApiError(BUDGET_EXCEEDED, message, retry_after=over.ends - now)
