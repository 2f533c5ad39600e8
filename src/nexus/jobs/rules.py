"""The bounds of jobs, as an operator may set them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JobRules:
    """`timeout` bounds one run, `keep` how long an ended job and its result are kept, `max_wait` how long one waits to
    be begun, all in seconds; `max_attempts`: how often a run that breaks off is begun; `max_queued`: how many jobs of
    one token may wait.
    """

    timeout: float = 3600.0
    keep: float = 86400.0
    max_wait: float = 86400.0
    max_attempts: int = 3
    max_queued: int = 1000
