"""Who is asked under a service's own name: for one of its operations, a page of its own, or a verb on a model.

Where a snapshot leaves out models, a service is asked for nothing that could reach one of those.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from nexus.contract.card import Model
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.registry.snapshot import Instance, Route, Snapshot, State, Target
from nexus.gateway.values import Call

Condition = Callable[[Instance, Model | None], bool]

_LIVELY: Final = (State.READY, State.STARTING)
_CHANGES: Final[Mapping[str, Condition]] = {
    "models.load": lambda _, model: model is not None and model.state != "ready",
    "models.unload": lambda _, model: model is not None and model.state == "ready",
    "models.pull": lambda instance, model: model is None and instance.state is State.READY,
}
"""Where a verb has something to do, as far as the card tells."""


def of_service(call: Call, service: str, snapshot: Snapshot) -> Route:
    """The instances of one service that can be asked; where the call names a model that they know, those with it."""
    endpoint = call.request.head.endpoint
    instances = snapshot.of_service(service)
    if endpoint.model is not None:
        return _for_verb(endpoint, endpoint.model, instances, known_only=snapshot.models_narrowed)
    if endpoint.itself:
        return _route(instances, [one for one in instances if one.state is State.READY], itself=True)
    if call.model is not None or snapshot.models_narrowed:
        named = _named(endpoint.operation, call.model, snapshot)
        if named is not None:
            urls = {instance.url for instance in instances}
            return Route(
                tuple(target for target in named.ready if target.instance.url in urls),
                tuple(target for target in named.waiting if target.instance.url in urls),
            )
    return _route(instances, [one for one in instances if one.state is State.READY])


def _named(operation: str, model: str | None, snapshot: Snapshot) -> Route | None:
    """What a name stands for; where models are left out, also what no name does, and nothing else."""
    route = snapshot.by_operation.get(operation) if model is None else snapshot.by_model.get((operation, model))
    return Route() if route is None and snapshot.models_narrowed else route


def _for_verb(endpoint: Endpoint, name: str, instances: Sequence[Instance], *, known_only: bool) -> Route:
    """Those where the verb changes something, else those that know the model, else all; ready ones first.

    So a verb that is asked for again reaches the next instance. One that lives without being ready may be asked: that
    may be for want of the very model that is to be loaded.
    """
    if known_only:
        instances = [instance for instance in instances if _known(instance, name) is not None]
    changes = _CHANGES.get(endpoint.operation)

    def rank(instance: Instance) -> tuple[bool, bool, bool]:
        model = _known(instance, name)
        changed = changes is not None and changes(instance, model)
        return not changed, model is None, instance.state is not State.READY

    lively = [instance for instance in instances if instance.state in _LIVELY]
    best = min(map(rank, lively), default=None)
    return _route(instances, [instance for instance in lively if rank(instance) == best], itself=True)


def _known(instance: Instance, name: str) -> Model | None:
    """The model of this id or alias, as the card tells it."""
    models = instance.card.models if instance.card else ()
    return next((model for model in models if name == model.id or name in model.aliases), None)


def _route(instances: Sequence[Instance], asked: Sequence[Instance], *, itself: bool = False) -> Route:
    others = [instance for instance in instances if instance not in asked]
    return Route(
        tuple(Target(instance.itself if itself else instance, None) for instance in asked),
        tuple(Target(instance, None) for instance in others),
    )
