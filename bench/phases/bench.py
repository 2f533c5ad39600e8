"""What every phase works with, and how what a subject used meanwhile is told."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.board import Board
from bench.machine import Cores
from bench.options import Plan
from bench.processes import Child
from bench.site import Ground
from bench.subjects import Subject
from bench.workload import TOKEN, chat_body
from bench.wrk import WrkResult, run_wrk, write_script

T = TypeVar("T")
Found = Sequence[tuple[Subject, Path]]


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that a phase works with."""

    plan: Plan
    ground: Ground
    board: Board
    cores: Cores
    wrk: Path | None
    folder: Path

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def has_wrk(self) -> bool:
        """Whether there is one; that there is none is noted."""
        if self.wrk is None:
            self.ground.notes.append("no wrk: requests/s were not measured (apt-get install wrk)")
        return self.wrk is not None

    def run_wrk(self, url: str, seconds: float, token: str = TOKEN) -> WrkResult:
        assert self.wrk is not None
        script = self.folder / "chat.lua"
        write_script(script, chat_body(), token)
        return run_wrk(self.wrk, url, script, core=self.cores.load, connections=self.plan.connections, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time that a subject used, in seconds, and as a part of one core."""

    seconds: float
    percent: float


def with_cpu(child: Child, work: Callable[[], T]) -> tuple[T, Spent]:
    """What `work` returns, and what `child` used meanwhile."""
    began, used = time.perf_counter(), child.cpu_seconds()
    result = work()
    seconds = child.cpu_seconds() - used
    return result, Spent(seconds, 100 * seconds / (time.perf_counter() - began))
