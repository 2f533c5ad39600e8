"""What is done about an attempt that failed: one table, by what happened and what was asked. Pure.

"Again" are the contract's operations that may be repeated, "once" its slow ones (pictures, music, videos), which
are not made twice; "own" is everything else: a service's pages, verbs on its models, operations of its own. What was
asked once is asked again only where nothing of it can have been done.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from nexus.contract.errors import NO_READY_SERVICE, OVERLOADED
from nexus.contract.operations import BY_NAME
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.health.circuit import Failure

LONGEST_WAIT: Final = 5.0  # seconds: who says to come later than that is passed on to the client
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0


class Kind(StrEnum):
    """What is asked, as far as repeating it goes."""

    AGAIN = "again"
    ONCE = "once"
    OWN = "own"


class Step(StrEnum):
    """What is done next."""

    STOP = "stop"  # the client is told
    OTHER = "other"  # the next target: an instance, then those of the fallback models
    ANY = "any"  # the next target; where there is none, the same one again after a pause
    LARGER = "larger"  # the next target with more context than this one has


class Trouble(msgspec.Struct, frozen=True):
    """An attempt that failed: how, or with which status and code; `message` says it in a sentence.

    `retry_after` are the seconds after which the service wants to be asked again, None where it does not say.
    """

    failure: Failure
    message: str
    status: int = 0
    code: str = ""
    retry_after: float | None = None
    too_long: bool = False


Row = tuple[Step, Step, Step]  # Kind.AGAIN, Kind.ONCE, Kind.OWN

_STOP: Final[Row] = (Step.STOP, Step.STOP, Step.STOP)
_REJECTED: Final[Row] = (Step.ANY, Step.ANY, Step.STOP)

BY_FAILURE: Final[Mapping[Failure, Row]] = {
    Failure.REFUSED: (Step.OTHER, Step.OTHER, Step.OTHER),
    Failure.CLOSED: (Step.ANY, Step.STOP, Step.STOP),
    Failure.LATE: (Step.OTHER, Step.STOP, Step.STOP),
    Failure.BROKEN: (Step.ANY, Step.STOP, Step.STOP),
    Failure.CUT: (Step.ANY, Step.STOP, Step.STOP),
    Failure.STALLED: (Step.OTHER, Step.STOP, Step.STOP),
}

BY_STATUS: Final[Mapping[int, Row]] = {
    429: _REJECTED,
    500: (Step.ANY, Step.STOP, Step.STOP),
    502: (Step.ANY, Step.STOP, Step.STOP),
    503: (Step.ANY, Step.STOP, Step.STOP),
    504: (Step.OTHER, Step.STOP, Step.STOP),
    507: (Step.OTHER, Step.STOP, Step.STOP),
    529: (Step.ANY, Step.STOP, Step.STOP),
}
"""Every other status is passed on: 501 too, as nobody does what is not implemented."""

_NOT_BEGUN: Final = (NO_READY_SERVICE.code, OVERLOADED.code)
"""Codes of a 503 of the contract by which a service says that it has not begun."""

_COLUMN: Final = {kind: number for number, kind in enumerate(Kind)}
_KINDS: Final = {name: Kind.AGAIN if operation.repeatable else Kind.ONCE for name, operation in BY_NAME.items()}


def kind_of(endpoint: Endpoint) -> Kind:
    """Whether a call to this endpoint may be repeated."""
    return Kind.OWN if endpoint.itself else _KINDS.get(endpoint.operation, Kind.OWN)


def step(trouble: Trouble, kind: Kind) -> Step:
    """What the table says."""
    if trouble.too_long:
        return Step.STOP if kind is Kind.OWN else Step.LARGER
    if not trouble.status:
        row = BY_FAILURE.get(trouble.failure, _STOP)
    elif trouble.status == 503 and trouble.code in _NOT_BEGUN:
        row = _REJECTED
    else:
        row = BY_STATUS.get(trouble.status, _STOP)
    return row[_COLUMN[kind]]


def pause(trouble: Trouble, attempts: int, draw: float) -> float | None:
    """Seconds until the same target is asked again after so many attempts; None: it wants to be left alone for longer.

    `draw`, between 0 and 1, is chance: those that failed together must not come back together.
    """
    if trouble.retry_after is not None:
        return None if trouble.retry_after > LONGEST_WAIT else trouble.retry_after * (1 + draw / 10)
    return min(_FIRST_PAUSE * 2.0 ** (attempts - 1), _LONGEST_PAUSE) * (0.5 + draw / 2)
