"""`timeouts` and `jobs` of nexus.yaml."""

from typing import Annotated, Final

from pydantic import Field

from nexus.gateway.shapes.base import Name, Seconds, Shape
from nexus.gateway.shapes.document import Keys
from nexus.jobs.rules import JobRules


class Times(Shape):
    """Timeouts in seconds; None is what was not written, and nobody can write it."""

    connect: Seconds = None  # type: ignore[assignment]
    first_byte: Seconds = None  # type: ignore[assignment]
    idle: Seconds = None  # type: ignore[assignment]
    total: Seconds = None  # type: ignore[assignment]


class AllTimes(Times):
    """Those of all calls, and those that differ."""

    operations: dict[Name, Times] = Field(default_factory=dict)
    models: dict[Name, Times] = Field(default_factory=dict)


class Jobs(Shape):
    """See `jobs.rules.JobRules`."""

    timeout: Seconds = JobRules.timeout
    keep: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] = JobRules.keep
    max_wait: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] = JobRules.max_wait
    max_attempts: Annotated[int, Field(ge=1, le=100)] = JobRules.max_attempts
    max_queued: Annotated[int, Field(ge=1, le=1_000_000)] = JobRules.max_queued


TIMES_KEYS: Final[Keys] = {
    ("timeouts",): AllTimes,
    ("timeouts", "operations", "*"): Times,
    ("timeouts", "models", "*"): Times,
    ("jobs",): Jobs,
}
