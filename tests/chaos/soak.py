"""Load and random kills for as long as is wished: `python -m tests.chaos.soak --minutes 30`.

Services are killed by SIGKILL and started again, never all of them at once, so that every request can be answered. At
the end no answer may be missing, memory may not have grown over the second half, and no file descriptor have leaked.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.chaos.processes import ServerProcess
from tests.chaos.scenario import Load, quantile, write_config
from tests.chaos.slope import slope
from tests.servers.gateway import Gateway

SERVICES: Final = 3
CALLERS: Final = 6  # of each kind
LOOK_SECONDS: Final = 1.0
MOST_GROWTH: Final = 0.05  # of the memory, over the second half
MOST_MORE_FILES: Final = 8  # of the second half than ever in the first; connections come and go


@dataclass(frozen=True, slots=True)
class Looked:
    """The gateway at a moment, in seconds since the start."""

    at: float
    rss: int
    files: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it; `growth` is that of memory over the second half, as a share of it."""

    minutes: float
    kills: int
    calls: int
    calls_a_second: float
    lost: dict[str, int]
    p50_seconds: float
    p99_seconds: float
    rss_mb: float
    growth: float
    rss_mb_an_hour: float
    files_first_half: int
    files_second_half: int

    @property
    def complaints(self) -> list[str]:
        """Why this is no success; empty if it is one."""
        found = [f"{count} calls ended as {how}" for how, count in self.lost.items()]
        if self.growth > MOST_GROWTH:
            found.append(f"memory grew by {self.growth:.1%} over the second half")
        if self.files_second_half > self.files_first_half + MOST_MORE_FILES:
            found.append(f"{self.files_second_half} open files, after {self.files_first_half}")
        return found


def figures(minutes: float, kills: int, loads: list[Load], looked: list[Looked]) -> Figures:
    """The figures of a run."""
    ended = [one for load in loads for one in load.ended]
    half = looked[-1].at / 2
    first, second = [[one for one in looked if (one.at >= half) is late] for late in (False, True)]
    a_second = slope([(one.at, float(one.rss)) for one in second])
    level = sum(one.rss for one in second) / len(second)
    seconds = [one.seconds for one in ended]
    lost = Counter(one.how for one in ended if one.how != "whole")
    return Figures(
        minutes,
        kills,
        len(ended),
        round(len(ended) / looked[-1].at, 1),
        dict(lost),
        round(quantile(seconds, 0.5), 3),
        round(quantile(seconds, 0.99), 3),
        round(level / 1e6, 1),
        round(a_second * half / level, 4),
        round(a_second * 3600 / 1e6, 2),
        max(one.files for one in first),
        max(one.files for one in second),
    )


def soak(minutes: float, seed: int, folder: Path) -> Figures:
    """Run it."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        options = ("--pause", "0.004", "--models", "sound")
        services = [stack.enter_context(ServerProcess(f"copy-{n}", *options)) for n in range(SERVICES)]
        write_config(folder)
        gateway = stack.enter_context(Gateway(folder, [service.url for service in services]))
        for service in services:
            gateway.wait_for_state(service.url, "ready", 30)
        loads = [Load(gateway.port, "sound", stream=stream) for stream in (False, True)]
        with loads[0].flowing(CALLERS), loads[1].flowing(CALLERS):
            kills, looked = _torment(gateway, services, minutes * 60, chance)
        gateway.wait_until_idle(20)
        return figures(minutes, kills, loads, looked)


def _torment(
    gateway: Gateway, services: list[ServerProcess], seconds: float, chance: random.Random
) -> tuple[int, list[Looked]]:
    """Kill one service at a time, for a while, and look at the gateway meanwhile."""
    process = psutil.Process(gateway.process.pid)
    began = time.monotonic()
    looked: list[Looked] = []
    kills = 0
    down: ServerProcess | None = None
    due = 3.0
    while (at := time.monotonic() - began) < seconds:
        looked.append(Looked(at, process.memory_info().rss, process.num_fds()))
        if at >= due:
            if down is not None:
                down.start()
                gateway.wait_for_state(down.url, "ready", 30)  # before another one may be killed
                down = None
            else:
                down = chance.choice(services)
                down.kill()
                kills += 1
            due = time.monotonic() - began + chance.uniform(1, 4)
        time.sleep(LOOK_SECONDS)
    return kills, looked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="a file for the figures, as JSON")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(said.minutes, said.seed, Path(folder))
    text = json.dumps(asdict(found), indent=2)
    print(text)
    if said.out is not None:
        said.out.write_text(f"{text}\n")
    for complaint in found.complaints:
        print(f"soak: {complaint}", file=sys.stderr)
    return 1 if found.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
