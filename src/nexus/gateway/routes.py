"""Who can answer a call, out of a snapshot. Pure; the stages that decide about calls share these words."""

from typing import Final

from nexus.gateway.registry.snapshot import Route, Snapshot
from nexus.gateway.service_routes import of_service
from nexus.gateway.values import Call

_NO_ROUTE: Final = Route()


def route_of(call: Call, snapshot: Snapshot) -> Route:
    """All that can answer a call."""
    endpoint = call.request.head.endpoint
    if endpoint.service is not None:
        return of_service(call, endpoint.service, snapshot)
    return route_for(endpoint.operation, call.model, snapshot)


def route_for(operation: str, model: str | None, snapshot: Snapshot) -> Route:
    """All that can answer an operation for a model's name, or for none."""
    if model is not None:
        return snapshot.by_model.get((operation, model), _NO_ROUTE)
    return snapshot.by_operation.get(operation, _NO_ROUTE)
