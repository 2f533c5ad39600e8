"""What the measurement knows of its machine: which cores to pin to, how noisy it is, how many files may be open."""

import contextlib
import os
import platform
import resource
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the measured subject and the one for upstream and load; None where pinning is not possible."""

    subject: int | None
    load: int | None

    @property
    def note(self) -> str:
        if self.subject is None:
            return "this system cannot pin processes: all figures are of shared cores"
        if self.subject == self.load:
            return "only one core: subject, upstream and load share it, so ratios are rough"
        return f"subject on core {self.subject}, upstream and load on core {self.load}"


def find_cores() -> Cores:
    """The first two cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[min(1, len(allowed) - 1)])


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run the block on `core`: a process started inside inherits it before its first instruction."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> int:
    """Lift the soft limit of open files to the hard one, for this process and its children; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@dataclass(frozen=True, slots=True)
class Machine:
    """What stands in the report's head. `busy_percent` is what others used of all cores just before the run."""

    system: str
    cpu: str
    cores: int
    python: str
    load_average: float
    busy_percent: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def describe(sample_seconds: float = 1.0) -> Machine:
    """Look at the machine for `sample_seconds` while nothing of ours runs."""
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        load_average=os.getloadavg()[0],
        busy_percent=psutil.cpu_percent(interval=sample_seconds),
    )


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()
