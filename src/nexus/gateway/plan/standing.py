"""Plans that hold for every call: where one instance alone can answer, nothing about the call decides."""

from typing import Protocol

from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.values import Plan, Rules


class There(Protocol):
    """Who knows who is there: the snapshot that holds now, a plain attribute that is only ever replaced."""

    snapshot: Snapshot


class Ruled(Protocol):
    """Who knows the rules that hold now, in the same manner. Rules are made anew where timeouts have changed."""

    rules: Rules


class NoRules:
    """For a gateway that was told none."""

    rules = Rules()


class Standing:
    """The `plans` of lone instances, by operation and model, for calls that are usual and were not led by a rule.

    They hold as long as `snapshot`, the whole one, and `rules` stay the very same.
    """

    __slots__ = ("plans", "rules", "snapshot")

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.rules: Rules | None = None
        self.plans: dict[tuple[str, str | None], Plan] = {}

    def keep(self, snapshot: Snapshot, rules: Rules, key: tuple[str, str | None], plan: Plan) -> None:
        """Keep a plan, if it stands; those made by what is known no more are forgotten."""
        if len(plan.targets) > 1 or rules.fallbacks:
            return
        if snapshot is not self.snapshot or rules is not self.rules:
            self.snapshot, self.rules, self.plans = snapshot, rules, {}
        self.plans[key] = plan
