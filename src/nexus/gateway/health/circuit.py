"""The circuit: whether something that failed is asked again, and when. A pure state machine; times are seconds.

closed → open: failures in a row, as many as their kind takes. open → half-open: once its time is up. half-open →
closed: an answer; → open, for longer: another failure. Laws: while it is open nothing is asked; half-open, one is
asked at a time; an answer closes it from every state; the time that it is open grows with each failed probe and is
bounded.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Failure(StrEnum):
    """How an attempt failed."""

    REFUSED = "refused"  # no connection, nothing was sent
    CLOSED = "closed"  # the connection ended before a byte of an answer
    LATE = "late"  # it did not begin to answer in time
    BROKEN = "broken"  # what came is no answer: no HTTP, no body, of another kind, an error that calls itself 200
    STATUS = "status"  # it says itself that it failed
    CUT = "cut"  # the answer broke off midway
    STALLED = "stalled"  # the answer stopped midway


class State(StrEnum):
    """What a circuit lets through: everything, nothing, or one call at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


PROBE_SECONDS: Final = 5.0
"""Until then the one call that a half-open circuit let through is waited for; then another one is let through."""

_IN_A_ROW: Final = 5
_OPENS_AT: Final[Mapping[Failure, int]] = {Failure.REFUSED: 1, Failure.LATE: 2, Failure.STALLED: 3}
"""How many failures in a row open a circuit: the fewer, the more each of them costs."""

_USUAL: Final = (1.0, 8.0)
_OPEN_FOR: Final[Mapping[Failure, tuple[float, float]]] = {Failure.LATE: (10.0, 60.0), Failure.STALLED: (5.0, 30.0)}
"""For how long a circuit is open, the first time and at most: a probe of what is late costs somebody that wait."""


class Circuit(msgspec.Struct, frozen=True):
    """`failures` in a row; `trips`: how often it opened since the last answer; `since`: when it did so last."""

    failures: int = 0
    trips: int = 0
    since: float = 0.0
    open_until: float = 0.0
    probe_until: float = 0.0
    paused_until: float = 0.0

    def state(self, now: float) -> State:
        """What it lets through, pauses apart."""
        if not self.trips:
            return State.CLOSED
        return State.OPEN if now < self.open_until else State.HALF_OPEN

    def wait(self, now: float) -> float:
        """Seconds until a call is let through; 0 if one is now."""
        until = max(self.open_until, self.probe_until, self.paused_until)
        return until - now if until > now else 0.0

    def failed(self, kind: Failure, now: float) -> "Circuit":
        """After another failure. What was under way when it opened changes nothing any more."""
        failures = self.failures + 1
        if self.trips:
            if self.state(now) is State.OPEN:
                return msgspec.structs.replace(self, failures=failures)
        elif failures < _OPENS_AT.get(kind, _IN_A_ROW):
            return msgspec.structs.replace(self, failures=failures)
        first, most = _OPEN_FOR.get(kind, _USUAL)
        seconds = min(first * 2.0 ** min(self.trips, 32), most)
        return Circuit(failures, self.trips + 1, now, now + seconds, 0.0, self.paused_until)

    def asked(self, now: float) -> "Circuit":
        """After a call was sent: where it is half-open, that is its probe."""
        if self.state(now) is not State.HALF_OPEN:
            return self
        return msgspec.structs.replace(self, probe_until=now + PROBE_SECONDS)

    def half_opened(self, now: float) -> "Circuit":
        """After somebody else found that it may work again."""
        return msgspec.structs.replace(self, open_until=min(self.open_until, now))

    def paused(self, until: float) -> "Circuit":
        """After it asked not to be asked for a while."""
        return msgspec.structs.replace(self, paused_until=max(self.paused_until, until))
