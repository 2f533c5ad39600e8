"""What a policy does to the parameters of a call: bounds, forces and forbids them, and puts words before its prompt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nexus.policies.globs import Globs


@dataclass(frozen=True, slots=True)
class Rules:
    """`max_tokens`: the longest answer, 0 for any. `force`: fields that have these values, whatever the caller wrote.
    `forbid`: fields that a caller may not write. `system_prefix`: what a model is told before all else."""

    max_tokens: int = 0
    force: Mapping[str, Any] = field(default_factory=dict)
    forbid: tuple[str, ...] = ()
    system_prefix: str = ""

    def __bool__(self) -> bool:
        return bool(self.max_tokens or self.force or self.forbid or self.system_prefix)


@dataclass(frozen=True, slots=True)
class Overrides:
    """The rules that are others for some models; None where they are the same."""

    models: Globs
    max_tokens: int | None = None
    force: Mapping[str, Any] | None = None
    forbid: tuple[str, ...] | None = None
    system_prefix: str | None = None

    def over(self, rules: Rules) -> Rules:
        """`rules` with what is set here in its place."""
        return Rules(
            rules.max_tokens if self.max_tokens is None else self.max_tokens,
            rules.force if self.force is None else self.force,
            rules.forbid if self.forbid is None else self.forbid,
            rules.system_prefix if self.system_prefix is None else self.system_prefix,
        )


@dataclass(frozen=True, slots=True)
class Parameters:
    """The rules of a policy: those for all models, and the overrides, of which later ones come on top."""

    rules: Rules = Rules()
    overrides: tuple[Overrides, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules or self.overrides)

    def rules_for(self, models: Iterable[str]) -> list[Rules]:
        """The rules for each of these models, those that say the same only once; without models, those for all."""
        found: list[Rules] = []
        for model in models:
            rules = self.rules
            for override in self.overrides:
                if override.models.allows(model):
                    rules = override.over(rules)
            if rules not in found:
                found.append(rules)
        return found or [self.rules]
