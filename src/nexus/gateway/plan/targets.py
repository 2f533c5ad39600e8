"""Chooses the targets for a call: those that can answer it, best first, then those of the models that stand in."""

from collections.abc import Callable, Iterator
from typing import Final

from nexus.gateway.health.health import Health
from nexus.gateway.plan.affinity import prefix_of
from nexus.gateway.plan.balance import InFlight, balanced, favoured
from nexus.gateway.plan.refusal import refusal
from nexus.gateway.registry.snapshot import Route, Snapshot, Target
from nexus.gateway.routes import bounded, route_for, route_of
from nexus.gateway.values import Call, Hedge, Plan, Rules, Timeouts

Targets = tuple[Target, ...]
_NO_RULES: Final = Rules()


def plan(
    call: Call,
    snapshot: Snapshot,
    in_flight: InFlight,
    turn: int,
    timeouts: Timeouts,
    rules: Rules = _NO_RULES,
    health: Health | None = None,
    clock: Callable[[], float] | None = None,
) -> Plan:
    """The plan for `call`; `turn`, a running number, decides among equals. Raises ApiError (404, 503).

    `clock` is the monotonic one that instances' ages are told by, `health` that of the same; without them everyone is
    old and well.
    """
    route = route_of(call, snapshot)
    ready = route.ready
    if len(ready) == 1 and not rules.fallbacks:
        return Plan(ready, timeouts, rules.retries)
    groups = [group for group in (ready, *_stand_ins(call, route, snapshot, rules)) if group]
    if not groups:
        raise refusal(call, route, snapshot)
    now = float("inf") if clock is None else clock()
    blocked: Targets = ()
    if health is not None and health.troubled:
        groups, blocked = _sifted(groups, health, now)
    if not groups:  # all circuits are open: whoever is tried again first is the least bad choice
        return Plan(blocked, timeouts, rules.retries)
    prefix = prefix_of(call) if len(groups[0]) > 1 else None
    ordered = [_ordered(group, prefix, in_flight, turn, now) for group in groups]
    targets = ordered[0] if len(ordered) == 1 else sum(ordered, ())
    hedge = _hedge(call, rules) if rules.hedging and len(ordered[0]) > 1 else None
    return Plan(targets + blocked, timeouts, rules.retries, len(ordered[0]), hedge)


def _hedge(call: Call, rules: Rules) -> Hedge | None:
    """How the call is hedged; None for streams, for runs of jobs and for what a service is asked itself."""
    endpoint = call.request.head.endpoint
    if call.stream or endpoint.itself or call.request.job is not None:
        return None
    return rules.hedging.get(endpoint.operation)


def _ordered(group: Targets, prefix: int | None, in_flight: InFlight, turn: int, now: float) -> Targets:
    """Targets of one model: the one that has seen the prompt's beginning first, the others by their load."""
    if len(group) == 1:
        return group
    ordered = balanced(group, in_flight, turn, now)
    if prefix is None:
        return ordered
    first = favoured(group, prefix, in_flight, now)
    if first is None or first is ordered[0]:
        return ordered
    return (first, *(target for target in ordered if target is not first))


def _stand_ins(call: Call, route: Route, snapshot: Snapshot, rules: Rules) -> Iterator[Targets]:
    """The ready targets of each fallback. The snapshot is the caller's view: what it may not use is not there; nor is
    anyone to whom a rule of `routes` does not lead.

    Under a service's own name that service is meant, and nobody else.
    """
    endpoint = call.request.head.endpoint
    if not rules.fallbacks or call.model is None or endpoint.service is not None:
        return
    names = rules.fallbacks.get(call.model)
    if names is None:  # by an alias that its card gives it
        known = next(iter(route.ready or route.waiting), None)
        names = rules.fallbacks.get(known.model, ()) if known is not None and known.model is not None else ()
    within = None if call.routed is None else call.routed.within
    for name in names:
        found = route_for(endpoint.operation, name, snapshot)
        yield (found if within is None else bounded(found, within)).ready


def _sifted(groups: list[Targets], health: Health, now: float) -> tuple[list[Targets], Targets]:
    """The groups without those whose circuits are open, and these: who may be tried again first is first."""
    allowed = [tuple(target for target in group if health.allows(target, now)) for group in groups]
    blocked = [target for group in groups for target in group if not health.allows(target, now)]
    blocked.sort(key=lambda target: health.wait(target, now))
    return [group for group in allowed if group], tuple(blocked)
