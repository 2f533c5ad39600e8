"""Names that no model has, but a rule of `routes` leads somewhere: they can be used, so they are listed. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from nexus.gateway.api.catalogue import Entry
from nexus.policies.routing.conditions import Named
from nexus.policies.routing.rule import Deny, Rule, Split
from nexus.policies.token import Bearer

_PATTERN: Final = frozenset("*?")


def with_virtual(entries: Mapping[str, Entry], rules: Iterable[Rule], bearer: Bearer) -> dict[str, Entry]:
    """The entries, and after them the names that rules for this caller lead to some of them, not by pattern."""
    found = dict(entries)
    for rule in rules:
        led = [entries[model] for model in _models(rule) if model in entries]
        if led and _is_for(rule, bearer):
            for name in _names(rule):
                found.setdefault(name, _entry(name, led))
    return found


def _models(rule: Rule) -> tuple[str, ...]:
    """Where it leads."""
    action = rule.action
    if isinstance(action, Deny):
        return ()
    if isinstance(action, Split):
        return tuple(model for model, _ in action.weights)
    return () if action.model is None else (action.model,)


def _is_for(rule: Rule, bearer: Bearer) -> bool:
    """Whether what it says of callers is true of this one."""
    names = {"token": (bearer.name,), "policy": () if bearer.policy is None else (bearer.policy.name,)}
    return all(any(map(one.globs.allows, names[one.key])) for one in _named(rule) if one.key in names)


def _names(rule: Rule) -> Iterator[str]:
    for condition in _named(rule):
        if condition.key == "model":
            yield from (name for name in condition.globs.patterns if _PATTERN.isdisjoint(name))


def _named(rule: Rule) -> Iterator[Named]:
    return (condition for condition in rule.conditions if isinstance(condition, Named))


def _entry(name: str, led: list[Entry]) -> Entry:
    """One name for several models: what any of them does, in the state of the best; of one alone, it is an alias."""
    first = min(led, key=lambda entry: entry.state != "ready")
    alone = len({entry.alias_of or entry.id for entry in led}) == 1
    return replace(
        first,
        id=name,
        operations=tuple(dict.fromkeys(one for entry in led for one in entry.operations)),
        services=tuple(dict.fromkeys(one for entry in led for one in entry.services)),
        aliases=(),
        context_length=min((entry.context_length for entry in led if entry.context_length), default=None),
        model=first.model if alone else first.model.model_copy(update={"id": name}),
        alias_of=(first.alias_of or first.id) if alone else None,
    )
