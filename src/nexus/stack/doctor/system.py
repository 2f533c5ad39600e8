"""The machine itself: Python, the state folder, the clock, the limits on files and watches."""

import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nexus
from nexus.process.cgroups import read_limits
from nexus.stack.doctor.commands import ask
from nexus.stack.doctor.values import Finding, Host, ok, problem, warning

_OLDEST: Final = (3, 11)
_FILES: Final = 4096  # a call that streams through the gateway takes two
_PROCESSES: Final = 512
_WATCHES: Final = {"max_user_watches": 8192, "max_user_instances": 128}
_INOTIFY: Final = Path("/proc/sys/fs/inotify")
_DAY: Final = 86400.0


def python(_: Host) -> list[Finding]:
    return [judge_python(sys.version_info[:3], sys.maxsize > 2**32)]


def judge_python(version: Sequence[int], is_64_bit: bool) -> Finding:
    """Whether this Python runs Nexus and the engines' wheels, which there are for 64 bits alone."""
    name = f"Python {'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if tuple(version[:2]) < _OLDEST:
        return problem(f"{name} is too old", "install Python 3.11 or newer, and Nexus with it")
    if not is_64_bit:
        return problem(f"{name} is a 32-bit one", "install a 64-bit Python: engines come for those alone")
    return ok(name)


def state_folder(host: Host) -> list[Finding]:
    """Whether the state folder can be written, or made where there is none."""
    place = host.state
    if place.exists() and not place.is_dir():
        return [problem(f"{place} is in the way: it is no folder", "move it away")]
    try:
        if place.is_dir():
            with tempfile.TemporaryFile(dir=place):
                return [ok(f"{place} can be written")]
    except OSError as error:
        return [problem(f"{place} cannot be written: {error.strerror}", "give it to the user that runs Nexus")]
    above = nearest(place)
    if not os.access(above, os.W_OK | os.X_OK):
        return [problem(f"{place} cannot be made in {above}", "run Nexus in a folder that its user may write to")]
    return [ok(f"{place} will be made")]


def nearest(place: Path) -> Path:
    """The place itself, or the nearest folder above it that there is."""
    return next((folder for folder in (place, *place.parents) if folder.exists()), Path("/"))


def clock(_: Host) -> list[Finding]:
    said = ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    synchronised = {"yes": True, "no": False}.get(said.out.strip()) if said and said.status == 0 else None
    return [judge_clock(time.time(), Path(nexus.__file__).stat().st_mtime, synchronised)]


def judge_clock(now: float, installed_at: float, synchronised: bool | None) -> Finding:
    """A clock that is behind Nexus's own files is wrong. `synchronised` is what the system says, None if nothing."""
    told = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < installed_at - _DAY:
        return problem(
            f"the clock says {told}, which is before Nexus was installed",
            "set the clock: certificates, tokens and claims of jobs depend on it",
        )
    if synchronised is False:
        return warning(
            f"the clock ({told}) is not synchronised", "turn on time synchronisation: timedatectl set-ntp on"
        )
    return ok(f"the clock says {told}")


def limits(_: Host) -> list[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return [
        *judge_files(files if files != resource.RLIM_INFINITY else None),
        *judge_processes(read_limits().processes),
        *judge_watches({name: _number(_INOTIFY / name) for name in _WATCHES}),
    ]


def judge_files(files: int | None) -> list[Finding]:
    """The soft limit on open files; None is none."""
    if files is None or files >= _FILES:
        return [ok(f"{'any number of' if files is None else files} open files are allowed")]
    return [
        warning(
            f"only {files} open files are allowed: about {files // 3} streams at once",
            "for more, raise the limit before the start: ulimit -n 65536 (systemd: LimitNOFILE=65536)",
        )
    ]


def judge_processes(processes: int | None) -> list[Finding]:
    """The control group's limit on processes and threads; None is none."""
    if processes is None or processes >= _PROCESSES:
        return []
    todo = "raise it (systemd: TasksMax=, Docker: --pids-limit): engines begin a thread for each core"
    return [warning(f"the control group allows only {processes} processes and threads", todo)]


def judge_watches(found: dict[str, int | None]) -> list[Finding]:
    """inotify's limits for a user, by name; None where the system has no such thing."""
    return [
        warning(f"fs.inotify.{name} is only {have}", f"raise it: sysctl fs.inotify.{name}={_WATCHES[name]}")
        for name, have in found.items()
        if have is not None and have < _WATCHES[name]
    ]


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
