"""How many threads an engine takes where its operator says nothing."""

import math
import os
from pathlib import Path

from nexus.process.cgroups import MEMBERSHIP, ROOT, read_limits


def spare_cores(most: int | None = None, *, root: Path = ROOT, membership: Path = MEMBERSHIP) -> int:
    """All cores that this process may use but one, at least one, and at most `most`.

    Threads that wait for one another spin: on a machine whose every core they take, whatever else runs makes them
    several times slower. In a container with a quota of processor time there are no more threads than the quota gives
    cores, rounded up: those beyond would use it up early and have all of them stand still until the next period.
    `root` is where the control groups are mounted, `membership` the file that says in which of them the process is.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bounds = [max(1, usable - 1)]
    quota = read_limits(root, membership).cores
    if quota is not None:
        bounds.append(max(1, math.ceil(quota)))
    if most is not None:
        bounds.append(most)
    return min(bounds)
