"""What the control groups of this process allow it: processor time, memory, processes. Linux's cgroups v1 and v2.

Formats: cgroups(7) and the kernel's admin-guide/cgroup-v1 and cgroup-v2. A limit of any group on the way up to the root
binds, so the smallest one counts. In a container the root of the mounted tree is the container's own group, and
`/proc/self/cgroup` may tell of folders above it that are not there: those are passed over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

ROOT: Final = Path("/sys/fs/cgroup")
MEMBERSHIP: Final = Path("/proc/self/cgroup")
Number = TypeVar("Number", int, float)
_NO_LIMIT: Final = 1 << 60  # cgroup v1 says "no limit" by the largest number of whole pages, a little below 2**63


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """`cores` is the processor time per second of time, `memory` in bytes; None where nothing limits it."""

    cores: float | None = None
    memory: int | None = None
    processes: int | None = None


def read_limits(root: Path = ROOT, membership: Path = MEMBERSHIP) -> GroupLimits:
    """The limits of the groups that `membership` names, in the tree `root`. What cannot be read limits nothing."""
    return GroupLimits(
        cores=_least(root, membership, "cpu", _cores),
        memory=_least(root, membership, "memory", _memory),
        processes=_least(root, membership, "pids", _processes),
    )


def _least(root: Path, membership: Path, controller: str, read: Callable[[Path], Number | None]) -> Number | None:
    limits = [limit for folder in _folders(root, membership, controller) if (limit := read(folder)) is not None]
    return min(limits, default=None)


def _folders(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The folders of the groups that this process is in, for one controller: its own, and all above."""
    for line in _text(membership).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            tree = root
        elif controller in controllers.split(","):
            tree = next((root / name for name in (controllers, controller) if (root / name).is_dir()), root)
        else:
            continue
        own = PurePosixPath(path.lstrip("/"))
        yield tree
        if ".." not in own.parts:  # which would lead out of the part that a container sees
            yield from (tree / part for part in (own, *own.parents))


def _cores(group: Path) -> float | None:
    quota, _, period = _text(group / "cpu.max").partition(" ")  # v2: "max 100000" or "150000 100000"
    if not quota:
        quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")  # v1: -1 is no limit
    taken, of = _number(quota), _number(period)
    return taken / of if taken and of else None


def _memory(group: Path) -> int | None:
    limit = _number(_text(group / "memory.max") or _text(group / "memory.limit_in_bytes"))
    return limit if limit is not None and limit < _NO_LIMIT else None


def _processes(group: Path) -> int | None:
    return _number(_text(group / "pids.max"))


def _number(text: str) -> int | None:
    """A count; None for `max`, -1 and whatever else is none."""
    return int(text) if text.isascii() and text.isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
