"""What tokens use of their budgets: counted here as it happens, and known of other gateways by what they tell.

Laws: what is counted belongs to the period in which it is counted; what another gateway tells is all that it has
counted in a period, so that to be told twice changes nothing.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Final

from nexus.policies.periods import PERIODS, Kind
from nexus.store.rows import Amounts, UsedAmounts

_NOTHING: Final = Amounts()


class Meter:
    """One token's use in one period: what was counted here, and `elsewhere` what others have."""

    __slots__ = ("elsewhere", "ends", "engine_seconds", "requests", "starts", "tokens")

    def __init__(self, starts: float, ends: float, elsewhere: Amounts = _NOTHING) -> None:
        self.starts = starts
        self.ends = ends
        self.requests = 0
        self.tokens = 0
        self.engine_seconds = 0.0
        self.elsewhere = elsewhere

    @property
    def here(self) -> Amounts:
        """What was counted here."""
        return Amounts(self.requests, self.tokens, self.engine_seconds)


class Spending:
    """One token's use: this day's and this month's. It belongs to a name, and outlives policies and secrets."""

    __slots__ = ("_told", "day", "month")

    def __init__(self) -> None:
        self.day = Meter(0.0, 0.0)
        self.month = Meter(0.0, 0.0)
        self._told: dict[tuple[str, Kind, float], UsedAmounts] = {}

    def at(self, now: float, zone: datetime.tzinfo) -> None:
        """It is `now`: a period that is over is followed by the one that it is then in `zone`, with nothing used."""
        if now >= self.day.ends:
            self.day = self._begun("day", now, zone)
        if now >= self.month.ends:
            self.month = self._begun("month", now, zone)

    def add_request(self) -> None:
        """One more."""
        self.day.requests += 1
        self.month.requests += 1

    def add(self, tokens: int, engine_seconds: float) -> None:
        """What a call has used."""
        day, month = self.day, self.month
        day.tokens += tokens
        month.tokens += tokens
        day.engine_seconds += engine_seconds
        month.engine_seconds += engine_seconds

    def learn(self, used: UsedAmounts, now: float) -> None:
        """Take over what another gateway tells of its use in a period."""
        self._told[(used.gateway, used.kind, used.starts)] = used
        if used.kind == "day":
            self.day.elsewhere = self._elsewhere("day", now)
        else:
            self.month.elsewhere = self._elsewhere("month", now)

    def _begun(self, kind: Kind, now: float, zone: datetime.tzinfo) -> Meter:
        return Meter(*PERIODS[kind](now, zone), self._elsewhere(kind, now))

    def _elsewhere(self, kind: Kind, now: float) -> Amounts:
        """What others have used in the period that it is for them; its bounds differ while a zone is being changed."""
        self._told = {key: used for key, used in self._told.items() if now < used.ends}
        told = (used for used in self._told.values() if used.kind == kind and used.starts <= now)
        return sum((used.amounts for used in told), _NOTHING)


class Spendings:
    """Those of all tokens, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Spending] = {}

    def of(self, name: str, now: float, zone: datetime.tzinfo) -> Spending:
        """That of one token, at `now`."""
        spending = self._by_name.get(name)
        if spending is None:
            spending = self._by_name[name] = Spending()
        spending.at(now, zone)
        return spending

    def learn(self, told: Iterable[UsedAmounts], now: float) -> None:
        """Take over what other gateways tell."""
        for used in told:
            spending = self._by_name.get(used.token)
            if spending is None:
                spending = self._by_name[used.token] = Spending()
            spending.learn(used, now)

    def counted(self, gateway: str) -> Iterator[UsedAmounts]:
        """What was counted here, as this `gateway` tells it to the others."""
        for name, spending in self._by_name.items():
            kinds: tuple[tuple[Kind, Meter], ...] = (("day", spending.day), ("month", spending.month))
            for kind, meter in kinds:
                if meter.requests or meter.tokens or meter.engine_seconds:
                    yield UsedAmounts(gateway, name, kind, meter.starts, meter.ends, meter.here)
