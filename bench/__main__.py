"""`python -m bench`: measure everything that is here, side by side, and write the tables."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.console import Console

from bench.board import REFERENCE, Board
from bench.machine import describe, find_cores, pinned, raise_file_limit
from bench.options import Plan, read_arguments
from bench.phases import PHASES, Bench, Found
from bench.processes import Children
from bench.report import Report, show, write
from bench.site import Ground
from bench.subjects import SUBJECTS
from bench.subjects.subject import find_program


def find_subjects(only: tuple[str, ...], console: Console) -> Iterator[tuple[str, Path | None]]:
    """Name and program of every subject that is asked for; says how to get the missing ones."""
    for subject in SUBJECTS:
        if only and subject.name not in only:
            continue
        program = subject.find()
        if program is None:
            console.print(f"skipped: {subject.name} is not here; to have it: {subject.get}", markup=False)
        yield subject.name, program


def measure(plan: Plan, bench: Bench, found: Found) -> None:
    """All phases that are asked for, one after another."""
    static, streaming = bench.ground.start_static_upstream(), bench.ground.start_stream_upstream()
    for phase in PHASES:
        if not plan.phases or phase.name in plan.phases:
            phase.measure(bench, found, streaming if phase.streams else static)


def unknown(asked: Sequence[str], there: Sequence[str], console: Console) -> bool:
    """Whether names are asked for that are not there, which is said."""
    wrong = set(asked) - set(there)
    if wrong:
        console.print(f"unknown: {', '.join(sorted(wrong))}; known: {', '.join(there)}")
    return bool(wrong)


def main() -> int:
    plan, console, cores = read_arguments(), Console(stderr=True), find_cores()
    if unknown(plan.only, [one.name for one in SUBJECTS], console):
        return 2
    if unknown(plan.phases, [one.name for one in PHASES], console):
        return 2
    machine = describe()
    raise_file_limit()
    programs = dict(find_subjects(plan.only, console))
    found = [(subject, program) for subject in SUBJECTS if (program := programs.get(subject.name))]
    board = Board()
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as name, pinned(cores.load):
        folder = Path(name)
        with Children() as children:
            ground = Ground(folder, cores, children)
            measure(plan, Bench(plan, ground, board, cores, find_program("wrk", "wrk"), folder), found)
    skipped = [f"{name}: not measured, it is not installed here" for name, program in programs.items() if not program]
    head = [
        cores.note,
        f"{machine.cpu}, {machine.cores} cores, {machine.system}, Python {machine.python}",
        f"just before the run others used {machine.busy_percent:.0f} % of it (load average {machine.load_average:.2f})",
        f"{plan.rounds} interleaved rounds of {plan.seconds:g} s, those of small answers over "
        f"{len(plan.rounds_by_start())} starts, {plan.connections} connections, "
        f"request bodies of about 700 bytes; {plan.many:,} streams at once",
        f'0.50x is half of {REFERENCE}\'s figure; "direct" is the upstream itself, with nothing between',
    ]
    date = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M")
    report = Report(date, head, [*skipped, *dict.fromkeys(ground.notes)], machine.as_dict(), asdict(plan), board)
    show(report, Console())
    console.print(*(f"written: {os.path.relpath(path)}" for path in write(report, plan.out)), sep="\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended first
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
