"""When to start a process again that has ended: a decision, with the clock as an argument."""

from dataclasses import dataclass
from typing import Final

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0
HEALTHY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a process has ended in a row without having lived for a minute."""

    failures: int = 0

    def after_exit(self, started: float, now: float) -> tuple["Backoff", float]:
        """The next state, and how many seconds to wait before the next start.

        `started` and `now` are of one monotonic clock. The wait doubles from half a second to thirty seconds and
        begins anew once a process has lived for a minute.
        """
        failures = 1 if now - started >= HEALTHY_SECONDS else self.failures + 1
        return Backoff(failures), min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 16))
