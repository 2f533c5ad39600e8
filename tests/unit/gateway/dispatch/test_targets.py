"""Who is next."""

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.retries import Step
from nexus.gateway.dispatch.targets import context_of, next_target
from nexus.gateway.registry.snapshot import Target
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
