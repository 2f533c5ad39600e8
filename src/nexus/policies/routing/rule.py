"""A rule: its conditions, and the one thing that is done with a call for which all of them hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from nexus.policies.globs import Globs
from nexus.policies.routing.asked import Asked
from nexus.policies.routing.conditions import Condition


@dataclass(frozen=True, slots=True)
class Deny:
    """The call is refused with this message."""

    message: str

    def __str__(self) -> str:
        return "deny"


@dataclass(frozen=True, slots=True)
class Within:
    """Only some instances may answer; None is no bound. `instance` means the name that an instance has for itself."""

    service: Globs | None = None
    instance: Globs | None = None
    region: Globs | None = None

    def allows(self, service: str, instance: str, region: str) -> bool:
        """Whether an instance with these names may."""
        return (
            (self.service is None or self.service.allows(service))
            and (self.instance is None or self.instance.allows(instance))
            and (self.region is None or self.region.allows(region))
        )

    def parts(self) -> dict[str, tuple[str, ...]]:
        """The patterns of each bound that there is."""
        bounds = {"service": self.service, "instance": self.instance, "region": self.region}
        return {name: globs.patterns for name, globs in bounds.items() if globs is not None}


@dataclass(frozen=True, slots=True)
class Use:
    """The call goes to another model (None: to its own), to some instances alone (None: to any)."""

    model: str | None = None
    within: Within | None = None

    def __str__(self) -> str:
        said: dict[str, tuple[str, ...]] = {} if self.model is None else {"model": (self.model,)}
        said |= {} if self.within is None else self.within.parts()
        return "use " + ", ".join(f"{name}={'|'.join(values)}" for name, values in said.items())


@dataclass(frozen=True, slots=True)
class Split:
    """Calls are divided among models by weight; see `split`."""

    weights: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return "split " + ", ".join(f"{model}={weight:g}" for model, weight in self.weights)


Action = Deny | Use | Split


@dataclass(frozen=True, slots=True)
class Rule:
    """`number` is its place in the list, from 1."""

    number: int
    conditions: tuple[Condition, ...]
    action: Action

    def concerns(self, asked: Asked) -> bool:
        """A call that names its service by its path has chosen where it goes: it can be denied, and not be led."""
        return not asked.is_bound or isinstance(self.action, Deny)

    def matches(self, asked: Asked) -> bool:
        """Whether all its conditions hold."""
        return self.concerns(asked) and all(condition.holds(asked) for condition in self.conditions)


def first_match(rules: Iterable[Rule], asked: Asked) -> Rule | None:
    """The rule that decides about a call, if any does."""
    return next((rule for rule in rules if rule.matches(asked)), None)
