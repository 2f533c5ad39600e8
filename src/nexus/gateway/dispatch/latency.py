"""How long calls have taken lately, by operation and model: any percentile of it, in bounded memory. Pure.

Times are counted in buckets that grow by a twentieth each, so that what is told is at most so much too long. They are
forgotten in halves: what is known is between two and four minutes old at most. `now` is monotonic, in seconds.
"""

from math import ceil, log
from typing import Final

FEWEST: Final = 50
"""As long as fewer are known, nothing is told."""

MOST: Final = 256
"""So many operations and models are known; the one that was asked for longest ago makes room."""

HALF: Final = 120.0  # seconds
GROWTH: Final = 1.05
SHORTEST: Final = 0.0001  # seconds; what is shorter counts as this
LONGEST: Final = 1000.0  # seconds; what is longer counts as this

_LOG_GROWTH: Final = log(GROWTH)
_SLACK: Final = 1e-9  # sums and products of floats
_BUCKETS: Final = ceil(log(LONGEST / SHORTEST) / _LOG_GROWTH) + 1

Key = tuple[str, str | None]
"""An operation, and a model of which it was asked."""


class Latencies:
    """Of all operations and models that are looked after."""

    def __init__(self) -> None:
        self._kept: dict[Key, _Recent] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, key: Key, seconds: float, now: float) -> None:
        """A call has taken so long."""
        recent = self._kept.get(key)
        if recent is None:
            if len(self._kept) >= MOST:
                del self._kept[min(self._kept, key=lambda one: self._kept[one].turns_at)]
            recent = self._kept[key] = _Recent(now)
        recent.add(seconds, now)

    def percentile(self, key: Key, share: float, now: float) -> float | None:
        """The seconds within which this `share` of the calls was answered; None where too few are known."""
        recent = self._kept.get(key)
        return None if recent is None else recent.percentile(share, now)


class _Counts:
    """How many calls fell into each bucket; `top` is the last one that has any."""

    __slots__ = ("buckets", "top", "total")

    def __init__(self) -> None:
        self.buckets = [0] * _BUCKETS
        self.top = 0
        self.total = 0


class _Recent:
    """Two halves, of which the older one is forgotten at `turns_at`."""

    def __init__(self, now: float) -> None:
        self._newer, self._older = _Counts(), _Counts()
        self.turns_at = now + HALF

    def add(self, seconds: float, now: float) -> None:
        self._turn(now)
        newer = self._newer
        bucket = _bucket(seconds)
        newer.buckets[bucket] += 1
        newer.total += 1
        newer.top = max(newer.top, bucket)

    def percentile(self, share: float, now: float) -> float | None:
        self._turn(now)
        newer, older = self._newer, self._older
        total = newer.total + older.total
        if total < FEWEST:
            return None
        longer = total - ceil(share * total - _SLACK)  # so many may have taken longer
        bucket = max(newer.top, older.top)
        while bucket:
            longer -= newer.buckets[bucket] + older.buckets[bucket]
            if longer < 0:
                break
            bucket -= 1
        return SHORTEST * GROWTH**bucket

    def _turn(self, now: float) -> None:
        if now < self.turns_at:
            return
        self._older = self._newer if now < self.turns_at + HALF else _Counts()
        self._newer = _Counts()
        self.turns_at = now + HALF


def _bucket(seconds: float) -> int:
    """The first bucket whose bound is not shorter."""
    if seconds <= SHORTEST:
        return 0
    return min(ceil(log(seconds / SHORTEST) / _LOG_GROWTH - _SLACK), _BUCKETS - 1)
