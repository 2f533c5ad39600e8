"""How many threads an engine takes where its operator says nothing."""

import os


def spare_cores(most: int | None = None) -> int:
    """All cores that this process may use but one, at least one, and at most `most`.

    Threads that wait for one another spin: on a machine whose every core they take, whatever else runs makes them
    several times slower.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    spare = max(1, usable - 1)
    return spare if most is None else min(spare, most)
