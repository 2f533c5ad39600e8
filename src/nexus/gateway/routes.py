"""Who can answer a call, out of a snapshot. Pure; the stages that decide about calls share these words."""

from typing import Final

from nexus.gateway.registry.snapshot import Route, Snapshot, Target
from nexus.gateway.service_routes import of_service
from nexus.gateway.values import Call
from nexus.policies.routing.rule import Within

_NO_ROUTE: Final = Route()


def route_of(call: Call, snapshot: Snapshot) -> Route:
    """All that can answer a call."""
    endpoint = call.request.head.endpoint
    if endpoint.service is not None:
        return of_service(call, endpoint.service, snapshot)
    route = route_for(endpoint.operation, call.model, snapshot)
    if call.routed is not None and call.routed.within is not None:
        return bounded(route, call.routed.within)
    return route


def route_for(operation: str, model: str | None, snapshot: Snapshot) -> Route:
    """All that can answer an operation for a model's name, or for none."""
    if model is not None:
        return snapshot.by_model.get((operation, model), _NO_ROUTE)
    return snapshot.by_operation.get(operation, _NO_ROUTE)


def bounded(route: Route, within: Within) -> Route:
    """Those of a route whom a rule lets answer."""
    return Route(
        tuple(target for target in route.ready if _is_within(target, within)),
        tuple(target for target in route.waiting if _is_within(target, within)),
    )


def _is_within(target: Target, within: Within) -> bool:
    instance = target.instance
    return within.allows(instance.service, instance.label, instance.region)
