"""Who can answer a call, out of a snapshot. Pure; the stages that decide about calls share these words."""

from typing import Final

from nexus.gateway.endpoints import SERVICE_PAGE
from nexus.gateway.registry.snapshot import Instance, Route, Snapshot, State, Target
from nexus.gateway.values import Call

_NO_ROUTE: Final = Route()


def route_of(call: Call, snapshot: Snapshot) -> Route:
    """All that can answer a call."""
    endpoint = call.request.head.endpoint
    if endpoint.service is not None:
        return _of_service(call, snapshot, endpoint.service)
    return route_for(endpoint.operation, call.model, snapshot)


def route_for(operation: str, model: str | None, snapshot: Snapshot) -> Route:
    """All that can answer an operation for a model's name, or for none."""
    if model is not None:
        return snapshot.by_model.get((operation, model), _NO_ROUTE)
    return snapshot.by_operation.get(operation, _NO_ROUTE)


def _of_service(call: Call, snapshot: Snapshot, service: str) -> Route:
    """The instances of one service; where the call names a model that they know, those that have it.

    Where the snapshot leaves out models, a service is asked for nothing that could reach one of those.
    """
    operation = call.request.head.endpoint.operation
    instances = snapshot.of_service(service)
    if snapshot.models_narrowed and operation != SERVICE_PAGE:
        return _at(instances, route_for(operation, call.model, snapshot))
    named = None if call.model is None else snapshot.by_model.get((operation, call.model))
    if named is not None:
        return _at(instances, named)
    return Route(
        tuple(Target(instance, None) for instance in instances if instance.state is State.READY),
        tuple(Target(instance, None) for instance in instances if instance.state is not State.READY),
    )


def _at(instances: tuple[Instance, ...], route: Route) -> Route:
    urls = {instance.url for instance in instances}
    return Route(
        tuple(target for target in route.ready if target.instance.url in urls),
        tuple(target for target in route.waiting if target.instance.url in urls),
    )
