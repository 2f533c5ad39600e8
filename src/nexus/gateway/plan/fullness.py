"""Whether a call had better wait. Pure."""

from collections.abc import Callable

from nexus.gateway.values import Plan


def is_full(plan: Plan, in_flight: Callable[[str], int]) -> bool:
    """Whether all instances of the model that the plan begins with have as many calls as their cards say they take.

    False where one of them does not say how many those are. Fallbacks are for failures: they do not count.
    """
    for target in plan.targets[: plan.alike]:
        places = target.instance.places
        if places is None or in_flight(target.instance.url) < places:
            return False
    return True
