"""Whether `nexus up` runs in a folder, found out without touching its lock."""

from pathlib import Path

import psutil

from nexus.stack.state import StateFolder, read_json


def stack_runs(state: Path) -> bool:
    """Whether the process that the lock file tells of is alive; `state` is the state folder."""
    holder = read_json(StateFolder(state).lock)
    pid = holder.get("pid") if isinstance(holder, dict) else None
    return isinstance(pid, int) and psutil.pid_exists(pid)
