"""Where a call was led, as it is kept with the job that it becomes: the run goes there, and is not led again."""

from collections.abc import Mapping
from typing import Any, Final

from nexus.gateway.values import Routed
from nexus.policies.globs import Globs
from nexus.policies.routing.rule import Within

_KEY: Final = "route"


def kept(routed: Routed | None) -> dict[str, Any]:
    """What is added to the details of a job; nothing for a call that no rule led."""
    if routed is None:
        return {}
    within = None if routed.within is None else routed.within.parts()
    told = {"rule": routed.rule, "why": routed.why, "asked": routed.asked, "model": routed.model, "within": within}
    return {_KEY: told}


def read_kept(details: Mapping[str, Any]) -> Routed | None:
    """What was added to them."""
    told = details.get(_KEY)
    if told is None:
        return None
    within = None
    if told["within"] is not None:
        within = Within(**{name: Globs(patterns) for name, patterns in told["within"].items()})
    return Routed(told["rule"], told["why"], told["asked"], told["model"], within)
