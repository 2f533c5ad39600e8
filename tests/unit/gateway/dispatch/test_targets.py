"""Who is next."""

from typing import Any

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.retries import Step
from nexus.gateway.dispatch.targets import context_of, next_target, other_target
from nexus.gateway.registry.snapshot import State, Target
from nexus.gateway.values import Plan, Timeouts
from tests.servers.calls import make_instance, make_target
from tests.servers.cards import model


def sized(url: str, context: int | None) -> Target:
    return Target(make_instance(url=url, models=(model("m") | {"context_length": context},)), "m")


A, B, C = sized("http://a", 10), sized("http://b", None), sized("http://c", 20)
PLAN = Plan((A, B, C), Timeouts())


def after(last: Target, *tried: Target) -> Lease:
    lease = Lease()
    lease.target, lease.tried = last, tried
    return lease


def test_the_next_one_that_was_not_tried() -> None:
    assert next_target(PLAN, after(A), Step.OTHER) is B
    assert next_target(PLAN, after(C, A), Step.OTHER) is B
    assert next_target(PLAN, after(C, A, B), Step.OTHER) is None
    assert next_target(PLAN, after(C, A, B), Step.ANY) is C


def test_one_that_takes_more() -> None:
    assert next_target(PLAN, after(A), Step.LARGER) is C
    assert next_target(PLAN, after(B), Step.LARGER) is A
    assert next_target(PLAN, after(C), Step.LARGER) is None


def test_how_much_a_model_takes() -> None:
    assert [context_of(target) for target in (A, B, make_target(model=None))] == [10, 0, 0]


def test_another_instance_of_the_same_model_that_can_take_a_call() -> None:
    def at(url: str, **fields: Any) -> Target:
        return Target(make_instance(url=url, **fields), "m")

    first, second = at("http://a"), at("http://b", places=2)
    plan = Plan((first, second, sized("http://c", None)), Timeouts(), alike=2)
    busy = {"http://b": 1}

    def other(targets: Plan, ill: Target | None = None) -> Target | None:
        return other_target(targets, first, lambda url: busy.get(url, 0), lambda target: target is not ill)

    assert other(plan) is second
    assert other(plan, ill=second) is None
    assert other(Plan((first, second), Timeouts())) is None  # a fallback does another model
    busy["http://b"] = 2
    assert other(plan) is None
    for unfit in (
        at("http://a"),
        at("http://d", state=State.STARTING),
        at("http://d", models=(model("m", state="unloaded"),)),
        Target(make_instance(url="http://d"), "m2"),
    ):
        assert other(Plan((first, unfit), Timeouts(), alike=2)) is None
