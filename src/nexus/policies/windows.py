"""A sliding window over the last minute, in slots.

Law: whatever happened less than `SECONDS` ago is counted, so that who stays within a limit by this count never exceeds
it in any minute. What is older is forgotten at most one slot late: under load, a limit L admits L in each
`SECONDS` + one slot, which is more than 0.99 L a minute. Times are seconds of any clock that never goes back.
"""

from typing import Final

SECONDS: Final = 60.0
SLOTS: Final = 120
_WIDTH: Final = SECONDS / SLOTS
_KEPT: Final = SLOTS + 1  # the newest slot has only begun: without one more, the minute would not be whole


class Window:
    """Counts what is added to it, in constant time and space. `total` is the count when it was last asked."""

    __slots__ = ("_counts", "_ends", "_filled", "_index", "_newest", "total")

    def __init__(self) -> None:
        self._counts = [0] * _KEPT
        self._newest = 0
        self._index = 0  # where the newest slot is counted,
        self._ends = _WIDTH  # and when it is over
        self._filled = -_KEPT  # the newest slot that has something
        self.total = 0

    def count(self, now: float) -> int:
        """How much there is at `now`."""
        if now >= self._ends:
            self._move_to(int(now / _WIDTH))
        return self.total

    def take(self, limit: int, now: float) -> bool:
        """One more at `now`, if there are fewer than `limit`."""
        if now >= self._ends:
            self._move_to(int(now / _WIDTH))
        if self.total >= limit:
            return False
        self._counts[self._index] += 1
        self._filled = self._newest
        self.total += 1
        return True

    def add(self, amount: int, now: float) -> None:
        """`amount` more at `now`."""
        if now >= self._ends:
            self._move_to(int(now / _WIDTH))
        self._counts[self._index] += amount
        self._filled = self._newest
        self.total += amount

    def take_back(self, amount: int, then: float, now: float) -> None:
        """`amount` of what was added at `then` was none after all."""
        if now >= self._ends:
            self._move_to(int(now / _WIDTH))
        slot = int(then / _WIDTH)
        if slot > self._newest - _KEPT:
            self._counts[slot % _KEPT] -= amount
            self.total -= amount

    def seconds_until_less(self, amount: int, now: float) -> float:
        """How long until `amount` of what is counted is forgotten; the whole window where there is less than that."""
        self.count(now)
        oldest = self._newest - _KEPT + 1
        for slot in range(oldest, self._newest + 1):
            amount -= self._counts[slot % _KEPT]
            if amount <= 0:
                return (slot + _KEPT) * _WIDTH - now
        return SECONDS

    def seconds_until_empty(self, now: float) -> float:
        """How long from `now` until all is forgotten that was there when the count was last asked."""
        return (self._filled + _KEPT) * _WIDTH - now if self.total else 0.0

    def _move_to(self, slot: int) -> None:
        if self.total:
            if slot - self._newest >= _KEPT:
                self._counts = [0] * _KEPT
                self.total = 0
            else:
                for passed in range(self._newest + 1, slot + 1):
                    index = passed % _KEPT
                    self.total -= self._counts[index]
                    self._counts[index] = 0
        self._newest = slot
        self._index = slot % _KEPT
        self._ends = (slot + 1) * _WIDTH
