"""Takes the outcome of every request to where it is told: the metrics and the log. The list of sinks is `record`."""

from time import time

from nexus.gateway.record.lines import LineWriter
from nexus.gateway.record.metrics import Metrics
from nexus.gateway.values import Outcome


class Recorder:
    """`record` is called once for every request that ended, in whatever way.

    `used` gets, by name, when each token asked last, in Unix seconds; who takes it from there empties it.
    """

    def __init__(self, metrics: Metrics, lines: LineWriter, used: dict[str, float]) -> None:
        self._count = metrics.add
        self._log = lines.add
        self._used = used

    def record(self, outcome: Outcome) -> None:
        """Count it and log it."""
        self._count(outcome)
        self._log(outcome)
        self._used[outcome.token] = outcome.ts

    def record_control(self, *, method: str, path: str, status: int, seconds: float, request_id: str) -> None:
        """The same for a request to the control plane; `path` is its route's template."""
        level = "error" if status >= 500 else "info"
        operation = f"{method} {path}"
        self.record(Outcome(time(), level, "request", request_id, "", operation, status, round(seconds * 1000, 2)))
