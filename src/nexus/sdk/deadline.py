"""By when an answer must be through: the gateway's `x-nexus-deadline`, a Unix time in seconds with a fraction.

After it, nobody waits any more: the engine is stopped as if its caller had left. Clocks that differ between machines
move it by their difference.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_TIMEOUT, ApiError

DEADLINE: Final = "x-nexus-deadline"


def seconds_left(headers: Mapping[str, str], most: float, now: Callable[[], float] = time.time) -> float:
    """How many seconds a call may take, `most` at the most. Raises ApiError (400; 504 where it is too late already)."""
    text = headers.get(DEADLINE)
    if text is None:
        return most
    try:
        left = float(text) - now()
    except ValueError:
        raise ApiError(INVALID_REQUEST, f"{DEADLINE}: it should be a Unix time in seconds", param=DEADLINE) from None
    if not left > 0:  # NaN is no time either
        raise ApiError(UPSTREAM_TIMEOUT, "the request's deadline had passed before it came")
    return min(most, left)
