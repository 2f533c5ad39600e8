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
    """Counts what is added to it, in constant time and space.

    `total` is the count when it was last asked, and holds until `ends`: before that, who is in a hurry adds to it.
    """

    __slots__ = ("_before", "_counts", "_filled", "_newest", "ends", "total")

    def __init__(self) -> None:
        self._counts = [0] * _KEPT  # of the slots before the newest
        self._newest = 0
        self.ends = _WIDTH  # the newest slot
        self._before = 0  # the total without it
        self._filled = -_KEPT  # the newest of those before that has something
        self.total = 0

    def count(self, now: float) -> int:
        """How much there is at `now`."""
        if now >= self.ends:
            self._move_to(int(now / _WIDTH))
        return self.total

    def take(self, limit: int, now: float) -> bool:
        """One more at `now`, if there are fewer than `limit`."""
        if now >= self.ends:
            self._move_to(int(now / _WIDTH))
        if self.total >= limit:
            return False
        self.total += 1
        return True

    def add(self, amount: int, now: float) -> None:
        """`amount` more at `now`."""
        if now >= self.ends:
            self._move_to(int(now / _WIDTH))
        self.total += amount

    def settle(self, more: int, ends: float, now: float) -> None:
        """`more` at `now` than was added while the newest slot was the one that `ends` then; negative: less."""
        if more < 0:
            self.take_back(-more, ends, now)
        else:
            self.add(more, now)

    def take_back(self, amount: int, ends: float, now: float) -> None:
        """`amount` of what was added while the newest slot was the one that `ends` then was none after all."""
        if now >= self.ends:
            self._move_to(int(now / _WIDTH))
        slot = round(ends / _WIDTH) - 1
        if slot <= self._newest - _KEPT:
            return
        self.total -= amount
        if slot < self._newest:
            self._counts[slot % _KEPT] -= amount
            self._before -= amount

    def seconds_until_less(self, amount: int, now: float) -> float:
        """How long until `amount` of what is counted is forgotten; the whole window where there is less than that."""
        if amount > self.count(now):
            return SECONDS
        for slot in range(self._newest - _KEPT + 1, self._newest):
            amount -= self._counts[slot % _KEPT]
            if amount <= 0:
                return (slot + _KEPT) * _WIDTH - now
        return (self._newest + _KEPT) * _WIDTH - now

    def seconds_until_empty(self, now: float) -> float:
        """How long from `now` until all is forgotten that was there when the count was last asked."""
        filled = self._newest if self.total > self._before else self._filled
        return (filled + _KEPT) * _WIDTH - now if self.total else 0.0

    def _move_to(self, slot: int) -> None:
        added = self.total - self._before
        if added:
            self._filled = self._newest
        if slot - self._newest >= _KEPT:
            self._counts = [0] * _KEPT
            self.total = 0
        else:
            self._counts[self._newest % _KEPT] = added
            for passed in range(self._newest + 1, slot + 1):
                index = passed % _KEPT
                self.total -= self._counts[index]
                self._counts[index] = 0
        self._before = self.total
        self._newest = slot
        self.ends = (slot + 1) * _WIDTH
