"""How many further attempts all calls together may make, so that retries never become the load that breaks the rest."""

from collections.abc import Callable
from typing import Final

FLOOR: Final = 100.0
"""Attempts that are there however little traffic there is; as many come back within ten seconds."""

REFILL: Final = 10.0  # attempts a second, up to the floor
CEILING: Final = 1000.0


class Budget:
    """Each call earns a part of an attempt, each further attempt spends one. `clock` is monotonic, in seconds.

    `calls` counts those that have come since an attempt was asked for last; whoever sends one adds it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.calls = 0
        self._left = FLOOR
        self._at = clock()

    def spend(self, ratio: float) -> bool:
        """Make one further attempt, if there is one left: each call earns `ratio`. With a ratio of 0 there never is."""
        now = self._clock()
        self._left = min(CEILING, self._left + self.calls * ratio)
        self.calls = 0
        if self._left < FLOOR:
            self._left = min(FLOOR, self._left + (now - self._at) * REFILL)
        self._at = now
        if not ratio or self._left < 1:
            return False
        self._left -= 1
        return True
