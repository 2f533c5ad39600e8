"""How a run is asked for: the command line and the plan that follows from it."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often everything is measured. `only` and `phases` empty mean all of them.

    `soak` is in requests. `starts`: so often each subject is started; rounds of small answers are spread over these.
    """

    only: tuple[str, ...]
    phases: tuple[str, ...]
    out: Path
    seconds: float
    rounds: int
    soak: int
    many: int
    connections: int = 32
    starts: int = 3

    def rounds_by_start(self) -> list[range]:
        """The numbers of the rounds, from 0, of each start that has one."""
        starts = min(self.starts, self.rounds)
        return [range(self.rounds * one // starts, self.rounds * (one + 1) // starts) for one in range(starts)]


def read_arguments(argv: list[str] | None = None) -> Plan:
    """The plan that the command line asks for; argparse's own exit on a wrong one."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds and no soak: about two minutes")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="measure these subjects alone")
    parser.add_argument("--phases", nargs="+", default=[], metavar="NAME", help="measure these alone of what there is")
    parser.add_argument("--starts", type=int, help="starts that rounds of small answers are spread over (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="length of one round (5; quick: 2)")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (5; quick: 3)")
    parser.add_argument("--soak", type=int, help="requests to see whether memory stays flat (200000; quick: 0)")
    parser.add_argument("--streams", type=int, default=1000, help="streams at once")
    parser.add_argument("--out", type=Path, default=Path("bench") / "results", help="folder for the tables")
    options = parser.parse_args(argv)
    quick = options.quick
    return Plan(
        only=tuple(options.only),
        phases=tuple(options.phases),
        out=options.out,
        seconds=options.seconds or (2 if quick else 5),
        rounds=options.rounds or (3 if quick else 5),
        soak=options.soak if options.soak is not None else (0 if quick else 200_000),
        many=options.streams,
        starts=options.starts or (1 if quick else 3),
    )
