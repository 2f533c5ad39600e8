"""Lets in whose budgets are not used up, and counts what their calls use.

What is counted is in memory: nobody here waits for the database, which others tell of it (`gateway/budgets.py`).
"""

import datetime
import time
from collections.abc import Callable
from typing import Final, Protocol

from nexus.contract.errors import BUDGET_EXCEEDED, ApiError
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Request
from nexus.policies.budgets import Budgets, UsedUp, used_up
from nexus.policies.spending import Spending, Spendings
from nexus.policies.stopwatch import Stopwatch
from nexus.policies.token import Bearer

_HUMAN: Final = "%Y-%m-%d %H:%M %Z"


class Timed(Protocol):
    """What a call holds while it is answered; it starts the stopwatch whenever that is an instance."""

    stopwatch: Stopwatch | None


class Place(Protocol):
    """What a call has besides its budgets. See `gate.Permit`."""

    def release(self, request: Request, spent: Spent, /) -> None: ...


class Treasurer:
    """`now` is the time of day, in Unix seconds; `tick` a clock that never goes back."""

    def __init__(
        self,
        spendings: Spendings,
        now: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._spendings = spendings
        self._now = now
        self._tick = tick

    def check(self, bearer: Bearer, budgets: Budgets, *, request: bool = True) -> Spending:
        """What the caller has used; without `request`, the budget of requests may be used up.

        Raises ApiError (429) where a budget is.
        """
        now = self._now()
        spending = self._spendings.of(bearer.name, now, budgets.zone)
        over = used_up(budgets, spending, request=request)
        if over is not None:
            raise _refusal(bearer, budgets, over, now)
        return spending

    def add_request(self, bearer: Bearer, budgets: Budgets) -> None:
        """One more request of who was let in."""
        self._spendings.of(bearer.name, self._now(), budgets.zone).add_request()

    def open(self, bearer: Bearer, budgets: Budgets, place: Place, lease: Timed | None) -> "BudgetAllowance":
        """What a call that was let in has; once it is released, what it used is counted."""
        spending = self._spendings.of(bearer.name, self._now(), budgets.zone)
        stopwatch = Stopwatch(self._tick)
        if lease is not None:
            lease.stopwatch = stopwatch
        return BudgetAllowance(spending, budgets, place, stopwatch, self._now)


class BudgetAllowance:
    """What a call has whose caller has budgets: `place` is all that it would have without."""

    __slots__ = ("_budgets", "_now", "_place", "_spending", "_stopwatch")

    def __init__(
        self, spending: Spending, budgets: Budgets, place: Place, stopwatch: Stopwatch, now: Callable[[], float]
    ) -> None:
        self._spending = spending
        self._budgets = budgets
        self._place = place
        self._stopwatch = stopwatch
        self._now = now

    def release(self, request: Request, spent: Spent) -> None:
        """Give back the place, which sees to it that tokens are known, and count."""
        self._place.release(request, spent)
        self._stopwatch.stop()
        self._spending.at(self._now(), self._budgets.zone)
        self._spending.add(spent.usage.total_tokens if spent.usage is not None else 0, self._stopwatch.seconds)


def _refusal(bearer: Bearer, budgets: Budgets, over: UsedUp, now: float) -> ApiError:
    until = datetime.datetime.fromtimestamp(over.ends, budgets.zone).strftime(_HUMAN)
    message = (
        f"The token {bearer.name!r} has used up its budget of {over.limit} {over.unit} a {over.kind}; "
        f"the next {over.kind} begins at {until}."
    )
    return ApiError(BUDGET_EXCEEDED, message, retry_after=over.ends - now)
