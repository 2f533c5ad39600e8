"""The `Prefer` header (RFC 7240): whether a client lets its call run as a job, and how long it waits for it."""

import re
from typing import Final

LONGEST_WAIT: Final = 600.0
_RESPOND_ASYNC: Final = re.compile(rb"(?:^|,)\s*respond-async\s*(?:[,;]|$)", re.IGNORECASE)
_WAIT: Final = re.compile(rb"(?:^|,)\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?:[,;]|$)", re.IGNORECASE)


def respond_async(prefer: bytes) -> bool:
    """Whether the client would rather have a job than wait for ever."""
    return _RESPOND_ASYNC.search(prefer) is not None


def wait_seconds(prefer: bytes) -> float:
    """How long it waits for the answer itself before it takes a job; 0 where it does not say."""
    wait = _WAIT.search(prefer)
    return min(float(wait[1]), LONGEST_WAIT) if wait else 0.0
