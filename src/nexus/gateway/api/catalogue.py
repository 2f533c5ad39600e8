"""The models that clients can name, out of a snapshot and the configured aliases. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nexus.contract.card import Card, Model
from nexus.contract.operations import BY_NAME
from nexus.gateway.registry.snapshot import Instance, Snapshot, State

ANSWERING = (State.READY, State.STARTING, State.INVALID)
_LISTED = (State.READY, State.STARTING, State.UNKNOWN)


@dataclass(slots=True)
class _Gathered:
    """What the instances together say of one model; the first to say something has it."""

    model: Model
    states: set[str] = field(default_factory=set)
    operations: dict[str, None] = field(default_factory=dict)
    services: dict[str, None] = field(default_factory=dict)
    aliases: dict[str, None] = field(default_factory=dict)
    context_length: int | None = None
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One name that a client can give as `model`.

    `state` is `ready` where any instance is, else what the model waits for; one that is `on_demand` can be asked also
    while it is `unloaded` or `loading`. `alias_of` is the id that an alias
    stands for, None for ids. `model` is one instance's own description of it.
    """

    id: str
    state: str
    operations: tuple[str, ...]
    services: tuple[str, ...]
    aliases: tuple[str, ...]
    context_length: int | None
    on_demand: bool
    model: Model
    alias_of: str | None = None


def catalogue(snapshot: Snapshot, aliases: Mapping[str, str]) -> dict[str, Entry]:
    """All entries by name, ids first. A service without models is one under its own name, as in requests."""
    gathered: dict[str, _Gathered] = {}
    for instance in snapshot.instances:
        if instance.card is not None and instance.state in _LISTED:
            _gather(gathered, snapshot, instance, instance.card)
    entries = {name: _entry(name, one) for name, one in gathered.items()}
    named = {alias: name for name, one in gathered.items() for alias in one.aliases if alias not in entries}
    for alias, name in named.items():
        entries[alias] = _alias(alias, entries[name])
    ids = dict(entries)
    for alias, target in aliases.items():
        if target in ids:
            entries[alias] = _alias(alias, ids[target])
        else:
            entries.pop(alias, None)  # the configured alias comes first in requests, and it leads nowhere
    return entries


def _gather(gathered: dict[str, _Gathered], snapshot: Snapshot, instance: Instance, card: Card) -> None:
    offered = tuple(dict.fromkeys(endpoint.operation for endpoint in card.all_endpoints()))
    own = (Model(id=instance.service),) if any(operation in BY_NAME for operation in offered) else ()
    for model in card.models or own:
        operations = [one for one in model.operations or offered if (one, model.id) in snapshot.by_model]
        if not operations:
            continue
        one = gathered.setdefault(model.id, _Gathered(model))
        told = instance.state is State.READY or model.state == "failed"
        one.states.add(model.state if told else "starting")
        one.operations.update(dict.fromkeys(operations))
        one.services[instance.service] = None
        one.aliases.update(dict.fromkeys(model.aliases))
        one.context_length = one.context_length or model.context_length
        one.on_demand = one.on_demand or model.on_demand


def _entry(name: str, one: _Gathered) -> Entry:
    return Entry(
        id=name,
        state=_best(one.states),
        operations=tuple(one.operations),
        services=tuple(one.services),
        aliases=tuple(one.aliases),
        context_length=one.context_length,
        on_demand=one.on_demand,
        model=one.model,
    )


def _alias(alias: str, entry: Entry) -> Entry:
    return Entry(
        id=alias,
        state=entry.state,
        operations=entry.operations,
        services=entry.services,
        aliases=(),
        context_length=entry.context_length,
        on_demand=entry.on_demand,
        model=entry.model,
        alias_of=entry.alias_of or entry.id,
    )


def _best(states: Iterable[str]) -> str:
    return min(states, key=("ready", "loading", "starting", "unloaded", "failed").index)
