"""The list of checks, and how they are carried out: all at once, three seconds at most, never a traceback."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

from nexus.stack.doctor import containers, database, engines, gateway, gpu, room, system
from nexus.stack.doctor.values import Finding, Host, warning

CHECK_SECONDS: Final = 3.0
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at; `look` may block and may raise."""

    name: str
    look: Callable[[Host], Iterable[Finding]]


CHECKS: Final = (
    Check("python", system.python),
    Check("state", system.state_folder),
    Check("clock", system.clock),
    Check("limits", system.limits),
    Check("cores", room.cores),
    Check("memory", room.memory),
    Check("disk", room.disk),
    Check("gateway", gateway.gateway),
    Check("ports", gateway.service_ports),
    Check("database", database.database),
    Check("engines", engines.engines),
    Check("gpu", gpu.gpu),
    Check("containers", containers.containers),
)


@dataclass(frozen=True, slots=True)
class Late:
    """Nothing came in time."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What was to be done failed; `reason` is one line."""

    reason: str


class Bounded(Generic[Value]):
    """Work in a daemon thread: if it hangs, as on a network disk that is gone, it holds up neither whoever waits nor
    the end of the process."""

    def __init__(self, name: str, work: Callable[[], Value]) -> None:
        self._box: SimpleQueue[Value | Broken] = SimpleQueue()
        self._work = work
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def result(self, until: float) -> Value | Broken | Late:
        """What came of it by then, on the monotonic clock."""
        try:
            return self._box.get(timeout=max(0.001, until - time.monotonic()))
        except Empty:
            return Late()

    def _run(self) -> None:
        try:
            self._box.put(self._work())
        except Exception as error:  # noqa: BLE001 - whatever it trips over, the others' findings are told
            self._box.put(Broken(" ".join(str(error).split()) or type(error).__name__))


def examine(host: Host, checks: Sequence[Check] = CHECKS, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """What all checks find, in their order. They are carried out at the same time."""
    until = time.monotonic() + seconds
    begun = [(check.name, Bounded(f"doctor-{check.name}", partial(_listed, check, host))) for check in checks]
    return [
        replace(finding, check=name) for name, work in begun for finding in findings_of(work.result(until), seconds)
    ]


def _listed(check: Check, host: Host) -> list[Finding]:
    return list(check.look(host))


def findings_of(result: list[Finding] | Broken | Late, seconds: float) -> list[Finding]:
    """The findings, or that there are none and why."""
    match result:
        case Late():
            return [warning(f"no answer within {seconds:g} s", "look at what hangs there, and try again")]
        case Broken(reason):
            return [warning(f"this could not be looked at: {reason}", "look at it by hand")]
        case _:
            return result
