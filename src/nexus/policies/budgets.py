"""How much a token may use in a day and in a month, and whether that is used up. Pure."""

import datetime
from dataclasses import dataclass
from typing import Final

from nexus.policies.periods import Kind
from nexus.policies.spending import Meter, Spending

_UNITS: Final = {"requests": "requests", "tokens": "tokens", "engine_seconds": "engine-seconds"}


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be used in one period; 0 is no bound. `engine_seconds`: how long its calls hold instances, together."""

    requests: int = 0
    tokens: int = 0
    engine_seconds: int = 0

    def used_up(self, meter: Meter, *, request: bool = True) -> str | None:
        """The name of the figure of which nothing is left. Without `request`, requests are not looked at."""
        if request and self.requests and meter.requests + meter.elsewhere.requests >= self.requests:
            return "requests"
        if self.tokens and meter.tokens + meter.elsewhere.tokens >= self.tokens:
            return "tokens"
        seconds = self.engine_seconds
        if seconds and meter.engine_seconds + meter.elsewhere.engine_seconds >= seconds:
            return "engine_seconds"
        return None


@dataclass(frozen=True, slots=True)
class Budgets:
    """Those of a day and of a month, which begin at midnight in `zone`, named `timezone`."""

    day: Budget = Budget()
    month: Budget = Budget()
    timezone: str = "UTC"
    zone: datetime.tzinfo = datetime.UTC


@dataclass(frozen=True, slots=True)
class UsedUp:
    """That `limit` of `unit` were used in a period of this `kind`, and until when (Unix seconds) it goes on."""

    kind: Kind
    unit: str
    limit: int
    ends: float


def used_up(budgets: Budgets, spending: Spending, *, request: bool = True) -> UsedUp | None:
    """The budget of which nothing is left, of several the one that lasts longest. `spending` is at the present."""
    figure = budgets.month.used_up(spending.month, request=request)
    if figure is not None:
        return UsedUp("month", _UNITS[figure], getattr(budgets.month, figure), spending.month.ends)
    figure = budgets.day.used_up(spending.day, request=request)
    if figure is not None:
        return UsedUp("day", _UNITS[figure], getattr(budgets.day, figure), spending.day.ends)
    return None
