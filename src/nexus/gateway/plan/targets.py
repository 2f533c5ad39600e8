"""Chooses the targets for a call: those that can answer it, least busy first."""

from collections.abc import Callable
from typing import Final

from nexus.gateway.plan.refusal import refusal
from nexus.gateway.registry.snapshot import Snapshot, Target
from nexus.gateway.routes import route_of
from nexus.gateway.values import Call, Plan, Timeouts

MAX_ATTEMPTS: Final = 3


def plan(call: Call, snapshot: Snapshot, in_flight: Callable[[str], int], turn: int, timeouts: Timeouts) -> Plan:
    """The plan for `call`; `turn`, a running number, decides among equally busy targets. Raises ApiError (404, 503)."""
    route = route_of(call, snapshot)
    ready = route.ready
    if not ready:
        raise refusal(call, route, snapshot)
    if len(ready) > 1:
        ready = least_busy(ready, in_flight, turn)[:MAX_ATTEMPTS]
    return Plan(ready, timeouts, alike=len(ready))


def least_busy(targets: tuple[Target, ...], in_flight: Callable[[str], int], turn: int) -> tuple[Target, ...]:
    """`targets` by calls in flight; equals in rotation, so that they take turns."""
    start = turn % len(targets)
    rotated = targets[start:] + targets[:start]
    return tuple(sorted(rotated, key=lambda target: in_flight(target.instance.url)))
