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

    @property
    def seconds(self) -> float:
        """What was measured up to the last stop."""
        return self._seconds
