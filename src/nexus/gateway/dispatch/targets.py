"""Which target of a plan comes next. Pure."""

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.retries import Step
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.values import Plan


def first_target(plan: Plan, lease: Lease) -> Target:
    """The best target, or the best that is not shunned."""
    best = plan.targets[0]
    if lease.shunned is None:
        return best
    return next((target for target in plan.targets if target.names[1:] != lease.shunned), best)


def next_target(plan: Plan, lease: Lease, step: Step) -> Target | None:
    """The first target that was not tried and that serves; for `Step.ANY` also the last one again. None: nobody."""
    last = lease.target
    for target in plan.targets:
        if target is last or any(target is one for one in lease.tried):
            continue
        if step is not Step.LARGER or (last is not None and context_of(target) > context_of(last)):
            return target
    return last if step is Step.ANY else None


def context_of(target: Target) -> int:
    """How many tokens its model takes, as its card says; 0 where that says nothing."""
    card = target.instance.card
    models = card.models if card else ()
    return next((model.context_length or 0 for model in models if model.id == target.model), 0)
