"""What of the snapshot a token may use: everything that reads one for a caller reads the caller's view of it."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from nexus.contract.card import Card
from nexus.gateway.registry.snapshot import Instance, Route, Snapshot, Target
from nexus.policies.policy import Policy


class Views:
    """Makes each policy's view once a snapshot."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self.whole = snapshot
        self._of: Snapshot | None = None
        self._made: dict[str, tuple[Policy, Snapshot]] = {}

    def of(self, policy: Policy | None) -> Snapshot:
        """The snapshot as it is now for who has this policy."""
        snapshot = self.whole()
        if policy is None or not policy.narrows:
            return snapshot
        if snapshot is not self._of:
            self._of = snapshot
            self._made = {}
        made = self._made.get(policy.name)
        if made is None or made[0] is not policy:
            made = self._made[policy.name] = policy, narrowed(snapshot, policy)
        return made[1]


def narrowed(snapshot: Snapshot, policy: Policy) -> Snapshot:
    """The part of a snapshot that a policy allows: its routes without the other targets, its cards without the rest."""
    by_model = {
        (operation, name): route
        for (operation, name), whole in snapshot.by_model.items()
        if policy.operations.allows(operation) and _leads_somewhere(route := _part(whole, policy))
    }
    by_operation = {
        operation: route
        for operation, whole in snapshot.by_operation.items()
        if policy.operations.allows(operation) and _leads_somewhere(route := _part(whole, policy))
    }
    names = {
        operation: tuple(name for name in known if (operation, name) in by_model)
        for operation, known in snapshot.names.items()
        if policy.operations.allows(operation)
    }
    return replace(
        snapshot,
        instances=tuple(_described(snapshot.instances, (*by_model.items(),), policy)),
        by_model=by_model,
        by_operation=by_operation,
        endpoints={key: one for key, one in snapshot.endpoints.items() if policy.operations.allows(one.operation)},
        names=names,
        models_narrowed=not policy.models.everything,
    )


def _part(route: Route, policy: Policy) -> Route:
    return Route(
        tuple(target for target in route.ready if _allowed(target, policy)),
        tuple(target for target in route.waiting if _allowed(target, policy)),
    )


def _allowed(target: Target, policy: Policy) -> bool:
    """A service without models goes by its own name."""
    return policy.models.allows(target.model or target.instance.service)


def _leads_somewhere(route: Route) -> bool:
    return bool(route.ready or route.waiting)


def _described(
    instances: Iterable[Instance], routes: Iterable[tuple[tuple[str, str], Route]], policy: Policy
) -> Iterable[Instance]:
    """The instances that are left with something, their cards telling of that alone."""
    offered: dict[str, set[str]] = {}
    for (operation, _), route in routes:
        for target in (*route.ready, *route.waiting):
            offered.setdefault(target.instance.url, set()).add(operation)
    for instance in instances:
        operations = offered.get(instance.url)
        if operations and instance.card is not None:
            yield replace(instance, card=_card(instance.card, operations, policy))


def _card(card: Card, operations: set[str], policy: Policy) -> Card:
    endpoints = tuple(one for one in card.all_endpoints() if one.operation in operations)
    paths = {one.path for one in endpoints}
    return card.model_copy(
        update={
            "capabilities": card.capabilities.model_copy(
                update={"operations": tuple(one for one in card.capabilities.operations if one in operations)}
            ),
            "endpoints": endpoints,
            "models": tuple(model for model in card.models if policy.models.allows(model.id)),
            "tools": tuple(tool for tool in card.tools if tool.path in paths and policy.tools.allows(tool.name)),
        }
    )
