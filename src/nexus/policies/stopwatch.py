"""Measures how long something was held, by turns."""

from collections.abc import Callable


class Stopwatch:
    """May be started while it runs and stopped while it does not. `now` is a clock in seconds that never goes back."""

    __slots__ = ("_now", "_seconds", "_since")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seconds = 0.0
        self._since: float | None = None

    def start(self) -> None:
        """From now on it counts."""
        if self._since is None:
            self._since = self._now()

    def stop(self) -> None:
        """It counts no longer."""
        if self._since is not None:
            self._seconds += self._now() - self._since
            self._since = None

    def beside(self) -> "Stopwatch":
        """Another one, at nothing, by the same clock."""
        return Stopwatch(self._now)

    def take_over(self, other: "Stopwatch") -> None:
        """Add what the `other` one has measured and, where that still runs and this one does not, go on for it."""
        self._seconds += other._seconds
        if self._since is None:
            self._since = other._since
        other._seconds, other._since = 0.0, None

    @property
    def seconds(self) -> float:
        """What was measured up to the last stop."""
        return self._seconds
