"""Which plans stand, and for how long."""

from nexus.gateway.plan.standing import Standing
from nexus.gateway.registry.index import build
from nexus.gateway.values import Plan, Rules, Timeouts
from tests.servers.calls import make_target

LONE = Plan((make_target("m"),), Timeouts())
KEY = ("chat.completions", "m")


def test_the_plan_of_a_lone_instance_stands() -> None:
    standing, snapshot, rules = Standing(), build([], {}), Rules()
    standing.keep(snapshot, rules, KEY, LONE)
    assert (standing.snapshot, standing.rules, standing.plans) == (snapshot, rules, {KEY: LONE})
    standing.keep(snapshot, rules, ("embeddings", None), LONE)
    assert len(standing.plans) == 2


def test_where_there_is_a_choice_no_plan_stands() -> None:
    standing, snapshot = Standing(), build([], {})
    standing.keep(snapshot, Rules(), KEY, Plan((make_target("m"), make_target("m")), Timeouts()))
    standing.keep(snapshot, Rules(fallbacks={"m": ("larger",)}), KEY, LONE)
    assert standing.plans == {}


def test_plans_by_what_is_known_no_more_are_forgotten() -> None:
    standing, snapshot, rules = Standing(), build([], {}), Rules()
    standing.keep(snapshot, rules, KEY, LONE)
    later = build([], {}, version=2)
    standing.keep(later, rules, ("embeddings", "m"), LONE)
    assert (standing.snapshot, list(standing.plans)) == (later, [("embeddings", "m")])
    other = Rules()
    standing.keep(later, other, KEY, LONE)
    assert standing.rules is other
    assert list(standing.plans) == [KEY]
