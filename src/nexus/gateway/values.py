"""The frozen values that a request turns into on its way: Request → Call → Permit → Plan → Reply → Outcome.

Times are seconds of the loop's monotonic clock, sizes bytes. The stages share these words and nothing else.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Protocol

import msgspec

from nexus.contract.errors import OVERLOADED, UPSTREAM_TIMEOUT, ApiError
from nexus.contract.usage import Usage
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.connection import Answer
from nexus.policies.routing.rule import Within
from nexus.policies.token import Bearer

Headers = Sequence[tuple[bytes, bytes]]


class ClientGoneError(Exception):
    """The caller closed its connection before its answer was whole."""


class Routed(msgspec.Struct, frozen=True):
    """What a rule of `routes` made of a call: `rule` is its number, `why` what answers and logs tell of it, in ASCII.

    `asked` is the model that the client wrote, `model` the one in its place, None where it is the same. `within` bounds
    who may answer.
    """

    rule: int
    why: str
    asked: str | None = None
    model: str | None = None
    within: Within | None = None

    @property
    def head(self) -> bytes:
        """The header line that tells of it, with its CR LF."""
        return f"x-nexus-route: {self.why}\r\n".encode()


class EndingError(ApiError):
    """The gateway ends, and nobody else is asked any more."""

    def __init__(self) -> None:
        super().__init__(OVERLOADED, "The gateway is shutting down.", retry_after=1)


class LateError(ApiError):
    """The service did not do something in time. `final`: the whole call's time is up, so that nobody else is asked."""

    def __init__(self, what: str, *, final: bool = False) -> None:
        super().__init__(UPSTREAM_TIMEOUT, f"The service did not {what} in time.")
        self.final = final


class Written:
    """How the last request with a head was written for its target, but for what is each request's own.

    The one thing here that changes: a memo, which whoever writes requests keeps with the head.
    """

    __slots__ = ("before", "behind", "target")

    def __init__(self) -> None:
        self.target: Target | None = None
        self.before = self.behind = b""


class Head(msgspec.Struct, frozen=True):
    """What the head of a request says, its caller already known; requests that say the same share one.

    `target` is path and query at the service; `lines` are the header lines that go on to it, each with its CR LF.
    `request_id` is the client's own, if it sent a sane one; `prefer` and `host` are those headers. `timeout` (seconds)
    and `deadline` (Unix seconds) are how long the client is willing to wait, where it says so. `routed` is for the run
    of a job, which goes where its call was led. `is_usual` follows from these: a standard path, no time of its
    own, and a caller who may use whatever is there.
    """

    endpoint: Endpoint
    target: str
    lines: bytes
    content_type: bytes
    bearer: Bearer
    request_id: str | None = None
    prefer: bytes = b""
    host: bytes = b""
    timeout: float | None = None
    deadline: float | None = None
    routed: Routed | None = None
    written: Written = msgspec.field(default_factory=Written)
    is_usual: bool = False

    def __post_init__(self) -> None:
        """Every call asks for the fact: it is no property. What is kept is of this head, and of none made from it."""
        msgspec.structs.force_setattr(self, "written", Written())
        usual = self.endpoint.standard and self.timeout is None and self.deadline is None
        usual = usual and not (self.bearer.policy and self.bearer.policy.narrows)
        msgspec.structs.force_setattr(self, "is_usual", usual)

    @property
    def token(self) -> str:
        """The name that its caller goes by."""
        return self.bearer.name


class Request(msgspec.Struct, frozen=True, gc=False):
    """One whole HTTP request to the lane, as its story begins.

    `started` is when its head had come; `arrived` when all of it had, and its turn on its connection. Both are times of
    `perf_counter`.
    """

    head: Head
    body: bytes
    request_id: str
    started: float
    arrived: float

    @property
    def endpoint(self) -> Endpoint:
        """The row of the table that it is for."""
        return self.head.endpoint

    @property
    def job(self) -> str | None:
        """The id of the job whose run this is; a run goes by that. None for a client's own call."""
        return self.request_id if self.head.endpoint.job == "running" else None


class Call(msgspec.Struct, frozen=True, gc=False):
    """What is asked: `model` as the client wrote it, or a rule of `routes` (None where the operation needs none).

    `job_after`: it may run as a job, which the client is told of after so many seconds; None: it is answered as it
    comes. `wants_urls`: its answer's pictures are to be URLs. `routed`: a rule decided about it. `continued`: the body
    for models that continue an answer which broke off.
    """

    request: Request
    model: str | None
    stream: bool
    form_model_span: tuple[int, int] | None = None  # where a multipart body has the model's name
    job_after: float | None = None
    wants_urls: bool = False
    routed: Routed | None = None
    continued: bytes | None = None


class Timeouts(msgspec.Struct, frozen=True):
    """How long each phase may take, in seconds; `first_byte` runs until the first byte of the body."""

    connect: float = 2.0
    first_byte: float = 60.0
    idle: float = 30.0
    total: float = 600.0

    def within(self, head: Head, now: float) -> "Timeouts":
        """These, made shorter where the client waits no longer; `now` is Unix seconds."""
        if head.timeout is None and head.deadline is None:
            return self
        left = inf if head.deadline is None else max(0.0, head.deadline - now)
        return msgspec.structs.replace(self, total=min(self.total, left, inf if head.timeout is None else head.timeout))

    @property
    def reader(self) -> float:
        """How long a client may take nothing of its answer: as long as that may take, if it is bounded."""
        return self.total if self.total < inf else self.idle


class Retries(msgspec.Struct, frozen=True):
    """How often one call is tried, and how many further attempts there may be for each call, all taken together."""

    max_attempts: int = 3
    budget_ratio: float = 0.2


class Hedge(msgspec.Struct, frozen=True):
    """When a call that is not answered yet is sent to another instance as well.

    After so many `seconds`; where they are 0, once it takes longer than this `share` of such calls took lately.
    """

    seconds: float = 0.0
    share: float = 0.0


class Rules(msgspec.Struct, frozen=True):
    """What nexus.yaml says about calls that fail. `fallbacks`: other models, by any name that a caller may use.

    `resumes`: a stream that breaks off goes on elsewhere, if it can. `hedging`: operations whose calls are hedged.
    """

    retries: Retries = Retries()
    fallbacks: Mapping[str, tuple[str, ...]] = {}
    resumes: bool = True
    hedging: Mapping[str, Hedge] = {}


class Plan(msgspec.Struct, frozen=True):
    """The targets to try, best first, how long they may take and how often they may be tried. Never empty.

    All that are ready are there: instances of the model asked for, then those of its fallbacks; those whose circuits
    are open come last. The first `alike` of them do the same model. `hedge`: when two of these are asked at once.
    """

    targets: tuple[Target, ...]
    timeouts: Timeouts
    retries: Retries = Retries()
    alike: int = 1
    hedge: Hedge | None = None


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An answer whose first bytes (or whose end) have come, and who gives it at which attempt."""

    answer: Answer
    target: Target
    attempts: int


class Client(Protocol):
    """The caller, as the stages see it. Bounds are set in absolute loop time; passing one interrupts the story."""

    write_paused: bool
    head_sent: bool

    async def drain(self) -> None:
        """Wait until the client has taken enough of what was sent."""

    def end_within(self, seconds: float) -> None:
        """Bound the whole answer: no later bound reaches further."""

    def expect_within(self, seconds: float, what: str, total: float | None = None) -> None:
        """The service must do `what` within `seconds` from now, or the story is interrupted with LateError.

        `total` bounds the whole answer, too, as `end_within` does. It may go on after that, with something else; once
        the whole answer's bound has passed the error is `final`.
        """

    def keep_waiting(self, why: str, head: bytes) -> None:
        """Until its answer begins, the caller, who reads events, is told now and then by a comment that it is `why`.

        `head` are header lines that its answer has in any case. Once it was told, what is sent must be events or an
        error: ApiError (502) is raised for other answers.
        """

    def send_whole(self, status: int, head: bytes, body: bytes) -> None:
        """Send a whole answer. `head` is header lines, each with its CR LF, without framing headers."""

    def send_head(self, status: int, head: bytes, length: int | None) -> None:
        """Send the head of an answer whose body follows: of `length` bytes, or until `finish`."""

    def send(self, data: bytes) -> None:
        """Send a piece of the body."""

    def finish(self) -> None:
        """The body is whole."""

    def finish_and_close(self) -> None:
        """The body's framing is whole but what it tells is not: end it and the connection with it."""

    def cut(self) -> None:
        """The body will not become whole: close the connection so that nobody takes it for finished."""


class QueueRules(msgspec.Struct, frozen=True):
    """How many calls may wait for a place at a service, and for how many seconds."""

    max_waiting: int = 1000
    max_seconds: float = 30.0


class Queue(msgspec.Struct, frozen=True, gc=False):
    """Jobs by operation: `waiting` are those of the whole database, `running` those that this gateway runs."""

    waiting: Mapping[str, int] = {}
    running: Mapping[str, int] = {}


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How a request ended: what metrics count and, in this very shape, a line of the log.

    `ts` is Unix seconds; `ms` and `ttft_ms` (until the first byte of the answer) are milliseconds, as is `queued_ms`,
    how long one that had to wait for its turn did so, with its `priority`. `status` 499: the
    client left before its answer was whole. Everything a client could have made up is left out, but for its request id.
    """

    ts: float
    level: str
    event: str
    request_id: str
    token: str
    operation: str
    status: int
    ms: float
    model: str = ""
    service: str = ""
    instance: str = ""
    stream: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    ttft_ms: float | None = None
    usage: Usage | None = None
    attempts: int = 0
    error: str = ""
    route: str = ""
    queued_ms: float | None = None
    priority: str = ""
