"""A job: one call that is answered later, and everything that is remembered of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a job is. It ends in one of the last three, once."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (State.COMPLETED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked: a request as it came, put aside for later.

    `path` is path and query at the service, `key` where the body lies, `base_url` how its client reaches the
    gateway. `details` is for the operation's own view of the job.
    """

    id: str
    operation: str
    path: str
    content_type: str
    key: str
    size: int
    token: str
    model: str | None = None
    request_id: str = ""
    base_url: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """An answer as it was written down: status and media type, its size in bytes and where it lies."""

    status: int
    media_type: str
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the ledger. Times are seconds since 1970; `progress` goes from 0 to 1; `seq` is the order of arrival.

    `attempts` counts the runs that were begun; `error` is the `error` object of the envelope.
    """

    seq: int
    order: Order
    state: State
    created_at: float
    progress: float = 0.0
    message: str = ""
    attempts: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    result: Result | None = None
    error: Mapping[str, Any] | None = None
    service: str = ""
    instance: str = ""

    @property
    def id(self) -> str:
        return self.order.id

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def seconds(self) -> float | None:
        """How long its last run took, where it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a job and to write down how that ended, as long as nobody else was given it since."""

    job: Job
    owner: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Query:
    """Which jobs are listed. `token` None: everybody's. `after` is the id of the last job of the page before."""

    token: str | None = None
    state: State | None = None
    operation: str | None = None
    model: str | None = None
    limit: int = 20
    after: str | None = None
    newest_first: bool = True
