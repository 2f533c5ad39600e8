"""Builds the snapshot: which instance can answer what, under which names. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from nexus.contract.card import Endpoint, Model
from nexus.contract.operations import BY_NAME, OPERATIONS
from nexus.gateway.registry.snapshot import DynamicEndpoint, Instance, Route, Snapshot, State, Target

_STANDARD_PATHS: Final = frozenset(operation.path for operation in OPERATIONS)
_OWN_FAMILIES: Final = frozenset(  # what stands after /v1/
    {
        "admin",
        "agents",
        "artifacts",
        "calls",
        "files",
        "jobs",
        "metadata",
        "models",
        "registry",
        "services",
        "tools",
        "videos",
    }
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    target: Target
    ready: bool


@dataclass(slots=True)
class _Names:
    """All that goes by a name for one operation, by the kind of name."""

    ids: dict[str, list[_Candidate]] = field(default_factory=dict)
    card_aliases: dict[str, list[_Candidate]] = field(default_factory=dict)
    services: dict[str, list[_Candidate]] = field(default_factory=dict)
    any: list[_Candidate] = field(default_factory=list)

    def find(self, name: str) -> list[_Candidate] | None:
        return self.ids.get(name) or self.card_aliases.get(name) or self.services.get(name)

    def all_names(self) -> set[str]:
        return {*self.ids, *self.card_aliases, *self.services}


def build(
    instances: Iterable[Instance], aliases: Mapping[str, str], *, settled: bool = True, version: int = 0
) -> Snapshot:
    """The snapshot of these instances, with the configured aliases (name → model id or card alias).

    A requested name means, in this order: a configured alias, a model id, a card's alias, a service that has
    no models of its own. An endpoint of a card that cannot be served is left out, and the instance's `reason`
    says so.
    """
    endpoints: dict[tuple[str, str], DynamicEndpoint] = {}
    names: dict[str, _Names] = {}
    shown: list[Instance] = []
    for instance in instances:
        operations, faults = _accept(instance, endpoints)
        if faults and not instance.reason:
            instance = replace(instance, reason="; ".join(faults))  # noqa: PLW2901 - as it is shown from here on
        shown.append(instance)
        for operation in operations:
            _enter(names.setdefault(operation, _Names()), instance, operation)
    by_model, known = _resolve(names, aliases)
    return Snapshot(
        instances=tuple(shown),
        by_model=by_model,
        by_operation={operation: _route(entry.any) for operation, entry in names.items()},
        endpoints=endpoints,
        names=known,
        settled=settled,
        version=version,
    )


def models_for(instance: Instance, operation: str) -> tuple[Model, ...]:
    """The models of an instance that answer an operation; one that names no operations answers all."""
    models = instance.card.models if instance.card else ()
    return tuple(model for model in models if not model.operations or operation in model.operations)


def _accept(instance: Instance, known: dict[tuple[str, str], DynamicEndpoint]) -> tuple[list[str], list[str]]:
    """The operations that can be asked of an instance, and why others can not. Adds its endpoints to `known`."""
    operations: list[str] = []
    faults: list[str] = []
    grouped: dict[str, list[Endpoint]] = {}
    for endpoint in instance.card.all_endpoints() if instance.card else ():
        grouped.setdefault(endpoint.operation, []).append(endpoint)
    for operation, group in grouped.items():
        fault = _standard_fault(operation, group) if operation in BY_NAME else _dynamic_fault(operation, group, known)
        if fault:
            faults.append(fault)
            continue
        operations.append(operation)
        if operation not in BY_NAME:
            for endpoint in group:
                known[endpoint.method, endpoint.path] = DynamicEndpoint(
                    operation, endpoint.method, endpoint.path, endpoint.job
                )
    return operations, faults


def _standard_fault(operation: str, group: list[Endpoint]) -> str:
    standard = BY_NAME[operation]
    if any(endpoint.path == standard.path and endpoint.method == standard.method for endpoint in group):
        return ""
    return f"operation {operation} is not served: its path is {standard.path}, not {group[0].path}"


def _dynamic_fault(operation: str, group: list[Endpoint], known: Mapping[tuple[str, str], DynamicEndpoint]) -> str:
    for endpoint in group:
        path = endpoint.path
        if not path.startswith("/v1/") or path in _STANDARD_PATHS or path.split("/")[2] in _OWN_FAMILIES:
            return f"operation {operation} is not served: the path {path} is not free for services at the gateway"
        if "{" in path:
            return f"operation {operation} is not served: the path {path} has parameters"
        other = known.get((endpoint.method, path))
        if other is not None and other.operation != operation:
            return f"operation {operation} is not served: the path {path} is already that of {other.operation}"
    elsewhere = {key for key, endpoint in known.items() if endpoint.operation == operation}
    if elsewhere and elsewhere != {(endpoint.method, endpoint.path) for endpoint in group}:
        return f"operation {operation} is not served: another service has it at other paths"
    return ""


def _enter(names: _Names, instance: Instance, operation: str) -> None:
    """Put an instance under every name that it answers an operation by."""
    lives = instance.state is State.READY
    models = models_for(instance, operation)
    if not models:
        needs_one = instance.card is not None and instance.card.capabilities.needs_models
        candidate = _Candidate(Target(instance, None), lives and not needs_one)
        if not needs_one:
            names.services.setdefault(instance.service, []).append(candidate)
        names.any.append(candidate)
        return
    candidates = [_Candidate(Target(instance, model.id), lives and _can_answer(model)) for model in models]
    for model, candidate in zip(models, candidates, strict=True):
        _add(names.ids, model.id, candidate)
        for alias in model.aliases:
            _add(names.card_aliases, alias, candidate)
    names.any.append(next((candidate for candidate in candidates if candidate.ready), candidates[0]))


def _can_answer(model: Model) -> bool:
    """A model that its service loads on demand is asked also while it is not in memory: the call has it loaded."""
    return model.state == "ready" or (model.on_demand and model.state in ("unloaded", "loading"))


def _add(entries: dict[str, list[_Candidate]], name: str, candidate: _Candidate) -> None:
    """Add a candidate, once an instance: of two models under one name at the same instance the first is meant."""
    others = entries.setdefault(name, [])
    if not others or others[-1].target.instance is not candidate.target.instance:
        others.append(candidate)


def _resolve(
    names: Mapping[str, _Names], aliases: Mapping[str, str]
) -> tuple[dict[tuple[str, str], Route], dict[str, tuple[str, ...]]]:
    by_model: dict[tuple[str, str], Route] = {}
    known: dict[str, tuple[str, ...]] = {}
    for operation, entry in names.items():
        here = []
        for name in sorted(entry.all_names() | aliases.keys()):
            candidates = entry.find(aliases.get(name, name))
            if candidates:
                by_model[operation, name] = _route(candidates)
                here.append(name)
        known[operation] = tuple(here)
    return by_model, known


def _route(candidates: Iterable[_Candidate]) -> Route:
    ready: list[Target] = []
    waiting: list[Target] = []
    for candidate in candidates:
        (ready if candidate.ready else waiting).append(candidate.target)
    return Route(tuple(ready), tuple(waiting))
