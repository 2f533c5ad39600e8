"""`python -m bench.jobs`: chat's first token alone and beside ten jobs, in alternating rounds; writes the tables."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.jobs.asking import Chat, Timing
from bench.jobs.figures import Round, Subject
from bench.jobs.report import JobsReport, show, write
from bench.jobs.stacks import Stack, bare, embedded
from bench.jobs.wishes import KINDS
from bench.jobs.work import Crowd
from bench.machine import describe, find_cores
from bench.processes import Children

_PAUSE_SECONDS: Final = 0.05  # a client thinks before it asks again; engines go to sleep meanwhile
_SETTLE_SECONDS: Final = 1.0


def read_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for; argparse's own exit on a wrong one."""
    parser = argparse.ArgumentParser(prog="bench.jobs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="rounds, each alone and then beside jobs")
    parser.add_argument(
        "--chats",
        type=int,
        default=20,
        help="streams in each half of a round; ten times as many where they cost nothing",
    )
    parser.add_argument("--only", choices=("embedded", "gateway"), help="measure one of the two stacks")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, help="of the embedded stack's jobs, ten of these kinds")
    parser.add_argument("--state", type=Path, default=Path(".nexus") / "bench", help="where the embedded stack lives")
    parser.add_argument("--out", type=Path, default=Path("bench") / "results", help="folder for the tables")
    return parser.parse_args(argv)


def measure(stack: Stack, kinds: Sequence[str] | None, rounds: int, chats: int) -> Subject:
    """All rounds before one stack. Raises BadStreamError, JobError and httpx's errors."""
    wishes = [wish for wish in stack.wishes if not kinds or wish.kind in kinds]
    wishes = (wishes * len(stack.wishes))[: len(stack.wishes)]
    subject, chat = Subject(stack.name), Chat(stack.url, stack.token, stack.model)
    crowd, times = Crowd(stack.http, wishes), chats * stack.streams
    for _ in range(5):
        chat.ask()
    for number in range(rounds):
        time.sleep(_SETTLE_SECONDS)
        alone = [one for one, _ in _ask(chat, times, None)]
        awake = []
        if stack.awake:
            with stack.awake():
                awake = [one for one, _ in _ask(chat, times, None)]
        crowd.gather()
        asked = _ask(chat, times, crowd)
        crowd.disperse()
        subject.rounds.append(Round(alone, [one for one, _ in asked], [running for _, running in asked], awake))
        compared = subject.compare(0.5)
        if compared:
            text = f"{compared.alone_ms:.2f} ms alone, {compared.beside_ms:.2f} ms beside jobs so far"
            print(f"{stack.name} {number + 1}/{rounds}: {text}", file=sys.stderr, flush=True)
    subject.ended = dict(crowd.ended)
    chat.close()
    return subject


def _ask(chat: Chat, times: int, crowd: Crowd | None) -> list[tuple[Timing, int]]:
    """Streams, one after another; after each the crowd is renewed and its running jobs are counted."""
    asked = []
    for _ in range(times):
        timing = chat.ask()
        asked.append((timing, crowd.renew() if crowd else 0))
        time.sleep(_PAUSE_SECONDS)
    return asked


def main() -> int:
    options, cores, machine = read_arguments(), find_cores(), describe()
    subjects = []
    if options.only != "embedded":
        with (
            tempfile.TemporaryDirectory(prefix="nexus-bench-") as name,
            Children() as children,
            bare(Path(name), cores, children) as stack,
        ):
            subjects.append(measure(stack, None, options.rounds, options.chats))
    if options.only != "gateway":
        with Children() as children, embedded(options.state, children) as stack:
            subjects.append(measure(stack, options.kinds, options.rounds, options.chats))
    head = [
        f"{machine.cpu}, {machine.cores} cores, {machine.system}, Python {machine.python}",
        f"just before the run others used {machine.busy_percent:.0f} % of it (load average {machine.load_average:.2f})",
        f"{options.rounds} rounds of {options.chats} streams alone, then as many beside jobs (gateway alone: tenfold)",
        f"gateway alone: {cores.note}; embedded: nothing is pinned",
    ]
    date = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M")
    report = JobsReport(date, head, machine.as_dict(), subjects)
    show(report, Console())
    print(*(f"written: {os.path.relpath(path)}" for path in write(report, options.out)), sep="\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended first
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
