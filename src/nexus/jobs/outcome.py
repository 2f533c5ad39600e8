"""What becomes of a job after a run: it is done, it failed for good, or it is tried again, and when. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import (
    CONCURRENCY_EXCEEDED,
    NO_READY_SERVICE,
    OVERLOADED,
    RATE_LIMIT_EXCEEDED,
    STORAGE_UNAVAILABLE,
    UPSTREAM_ERROR,
)

BACKOFF_SECONDS: Final = (1.0, 5.0, 15.0)
LATER_SECONDS: Final = 2.0
_NOT_YET: Final = (
    NO_READY_SERVICE.code,
    OVERLOADED.code,
    STORAGE_UNAVAILABLE,
    CONCURRENCY_EXCEEDED.code,
    RATE_LIMIT_EXCEEDED.code,
)
"""Nobody has begun the work: the job keeps its place and waits, and that is no attempt."""

_BROKEN_OFF: Final = (UPSTREAM_ERROR.code,)
"""The work was begun and broke off: the service died, or its connection did."""


@dataclass(frozen=True, slots=True)
class Again:
    """Put the job back: not before `seconds` from now. `counts`: the run was an attempt."""

    seconds: float
    counts: bool


def again(status: int, error: Mapping[str, Any], attempt: int, most: int) -> Again | None:
    """Whether a run that ended with this error is tried again; None: the job has failed.

    `attempt` is the number of the run that ended, `most` how many there may be.
    """
    code = error.get("code")
    if status in (429, 503) and code in _NOT_YET:
        return Again(LATER_SECONDS, counts=False)
    if status == UPSTREAM_ERROR.status and code in _BROKEN_OFF and attempt < most:
        return Again(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1], counts=True)
    return None
