"""How far each part of the stack has come: a value a part, a table of them for the terminal, and a line a change."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rich.table import Table
from rich.text import Text


class Phase(StrEnum):
    """Where a part of the stack stands."""

    INSTALLING = "installing"
    STARTING = "starting"  # the process runs, and does not answer yet
    LOADING = "loading"  # it answers, and says that it is not ready
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"  # it has ended several times in a row, or says that it cannot get ready
    STOPPED = "stopped"


STYLES: Final = {
    Phase.INSTALLING: "cyan",
    Phase.STARTING: "cyan",
    Phase.LOADING: "yellow",
    Phase.READY: "green",
    Phase.RESTARTING: "magenta",
    Phase.FAILED: "red",
    Phase.STOPPED: "dim",
}
_SETTLED: Final = (Phase.READY, Phase.FAILED, Phase.STOPPED)


@dataclass(frozen=True, slots=True)
class Row:
    """One part: its phase, since when it is on its way to being ready, when it got there, and what it said last.

    Times are seconds of one monotonic clock; `settled_at` is None while it is still on its way.
    """

    name: str
    phase: Phase
    detail: str
    began: float
    settled_at: float | None = None

    @property
    def settled(self) -> bool:
        return self.phase in _SETTLED

    def moved(self, phase: Phase, detail: str, now: float) -> "Row":
        """The row after a change. The time starts anew when a part that had come to rest moves again."""
        settled = phase in _SETTLED
        restarted = self.settled and not settled
        return Row(
            self.name,
            phase,
            detail,
            began=now if restarted else self.began,
            settled_at=(self.settled_at or now) if settled else None,
        )

    def elapsed(self, now: float) -> float:
        """Seconds that it took to get to rest, or has taken so far."""
        return (self.settled_at or now) - self.began


def change_line(row: Row, now: float) -> str:
    """One plain line for a change: `embeddings: ready (3.2 s)`; the further lines of its detail are indented."""
    detail = ": " + row.detail.replace("\n", "\n    ") if row.detail else ""
    time = f" ({row.elapsed(now):.1f} s)" if row.phase in (Phase.READY, Phase.FAILED) else ""
    return f"{row.name}: {row.phase}{time}{detail}"


def table(rows: Iterable[Row], now: float) -> Table:
    """The rows as a table that fits the terminal's width."""
    grid = Table(box=None, pad_edge=False, expand=True)
    grid.add_column("service", no_wrap=True)
    grid.add_column("state", no_wrap=True)
    grid.add_column("time", justify="right", no_wrap=True)
    grid.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in rows:
        grid.add_row(
            row.name,
            Text(row.phase, style=STYLES[row.phase]),
            f"{row.elapsed(now):.1f} s",
            Text(row.detail.rpartition("\n")[2], style="" if row.phase == Phase.FAILED else "dim"),
        )
    return grid
