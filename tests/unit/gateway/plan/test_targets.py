"""Who is asked, and in which order."""

from collections.abc import Mapping

import msgspec
import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.plan.affinity import PREFIX
from nexus.gateway.plan.targets import plan
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, Route, State
from nexus.gateway.routes import route_for
from nexus.gateway.values import Call, Hedge, Plan, Retries, Routed, Rules, Timeouts
from nexus.gateway.views import narrowed
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from nexus.policies.routing.rule import Within
from tests.servers.calls import endpoint, make_call, make_instance, make_target
from tests.servers.cards import model

TIMEOUTS = Timeouts(1, 2, 3, 4)
CHATTY = ("chat.completions", "embeddings")


def planned(
    call: Call, *instances: Instance, busy: Mapping[str, int] | None = None, turn: int = 0, **aliases: str
) -> list[tuple[str, str | None]]:
    """The plan's targets, each as its instance's host and the model's name there."""
    loads = {f"http://{name}.test:8000": count for name, count in (busy or {}).items()}
    made = plan(call, build(instances, aliases), lambda url: loads.get(url, 0), turn, TIMEOUTS)
    assert made.timeouts is TIMEOUTS
    return [(target.instance.url[7:].partition(".")[0], target.model) for target in made.targets]


def instances(*names: str) -> list[Instance]:
    """Several instances of one service."""
    return [make_instance("svc", url=f"http://{name}.test:8000") for name in names]


def test_one_target_is_the_whole_plan() -> None:
    assert planned(make_call(), *instances("a")) == [("a", "m")]


@pytest.mark.parametrize(
    ("busy", "turn", "order"),
    [
        ({}, 0, "abc"),
        ({}, 1, "bca"),
        ({}, 2, "cab"),
        ({}, 3, "abc"),
        ({"a": 1}, 0, "bca"),
        ({"a": 1, "b": 1}, 0, "cab"),
        ({"a": 1, "b": 1}, 1, "cba"),
        ({"a": 5, "b": 3, "c": 4}, 1, "bca"),
    ],
)
def test_the_least_busy_is_first_and_equals_take_turns(busy: dict[str, int], turn: int, order: str) -> None:
    assert "".join(name for name, _ in planned(make_call(), *instances("a", "b", "c"), busy=busy, turn=turn)) == order


def test_only_ready_instances_are_asked() -> None:
    ready, starting = make_instance("a"), make_instance("b", state=State.STARTING)
    assert planned(make_call(), starting, ready) == [("a", "m")]


def test_an_alias_is_asked_for_under_the_instances_own_name() -> None:
    described = make_instance("a", models=(model("m-v2", aliases=["m"]),))
    assert planned(make_call("m"), described) == [("a", "m-v2")]
    assert planned(make_call("gpt"), described, gpt="m-v2") == [("a", "m-v2")]


def test_without_a_model_everyone_who_does_the_operation_is_asked() -> None:
    described = make_instance("a", operations=("moderations",), models=())
    assert planned(make_call(None, at=endpoint("moderations")), described) == [("a", None)]


@pytest.mark.parametrize(
    ("call", "given", "status"),
    [
        (make_call("other"), [make_instance()], 404),
        (make_call("m", at=endpoint("embeddings")), [make_instance()], 404),
        (make_call("m"), [make_instance(state=State.STARTING)], 503),
        (make_call(None, at=endpoint("moderations")), [make_instance()], 503),
        (make_call("m"), [], 503),
    ],
)
def test_where_nobody_can_be_asked_the_refusal_is_raised(call: Call, given: list[Instance], status: int) -> None:
    with pytest.raises(ApiError) as caught:
        planned(call, *given)
    assert caught.value.status == status


def test_a_route_is_all_that_can_answer_whether_it_is_ready_or_not() -> None:
    ready, starting = make_instance("a"), make_instance("b", state=State.STARTING)
    snapshot = build([ready, starting], {"alias": "m"})
    for name in ("m", "alias", None):
        route = route_for("chat.completions", name, snapshot)
        assert [target.instance.service for target in route.ready] == ["a"]
        assert [target.instance.service for target in route.waiting] == ["b"]
    for operation, name in (("ocr", None), ("ocr", "m"), ("chat.completions", "other")):
        assert route_for(operation, name, snapshot) == Route()


# --- fallbacks and circuits

BIG, SMALL = make_instance("big", models=("large",)), make_instance("small", models=("little",))
BIG_TOO = make_instance("big2", models=("large",))
STANDS_IN = Rules(Retries(5, 0.5), {"large": ("gone", "little")})


def hosts(made: Plan) -> list[str]:
    return [target.instance.service for target in made.targets]


def with_rules(call: Call, *instances: Instance, health: Health | None = None, **aliases: str) -> Plan:
    return plan(call, build(instances, aliases), lambda url: 0, 0, TIMEOUTS, STANDS_IN, health, lambda: 1000.0)


def test_the_fallbacks_come_after_all_instances_of_the_model() -> None:
    made = with_rules(make_call("large"), SMALL, BIG, BIG_TOO)
    assert hosts(made) == ["big", "big2", "small"]
    assert (made.alike, made.retries) == (2, STANDS_IN.retries)


def test_a_model_that_is_not_ready_or_gone_is_stood_in_for() -> None:
    starting = make_instance("big", models=("large",), state=State.STARTING)
    assert hosts(with_rules(make_call("large"), starting, SMALL)) == ["small"]
    assert hosts(with_rules(make_call("large"), SMALL)) == ["small"]


def test_without_a_fallback_that_is_ready_it_is_the_model_asked_for_that_is_told_of() -> None:
    starting = make_instance("big", models=("large",), state=State.STARTING)
    with pytest.raises(ApiError) as caught:
        with_rules(make_call("large"), starting)
    assert caught.value.status == 503
    assert "large" in caught.value.message


def test_a_cards_alias_has_the_fallbacks_of_its_model() -> None:
    big = make_instance("big", models=(model("large", aliases=["l"]),))
    assert hosts(with_rules(make_call("l"), big, SMALL)) == ["big", "small"]


def test_who_may_not_use_a_fallback_is_not_given_it() -> None:
    view = narrowed(build([BIG, SMALL], {}), Policy("p", models=Globs(("large",))))
    assert hosts(plan(make_call("large"), view, lambda url: 0, 0, TIMEOUTS, STANDS_IN)) == ["big"]


def test_a_rule_that_bounds_who_may_answer_bounds_the_fallbacks() -> None:
    call = msgspec.structs.replace(make_call("large"), routed=Routed(1, "r", within=Within(service=Globs(("big*",)))))
    assert hosts(with_rules(call, BIG, SMALL, BIG_TOO)) == ["big", "big2"]


def test_a_fallback_for_another_operation_is_none() -> None:
    other = make_instance("small", models=("little",), operations=("embeddings",))
    assert hosts(with_rules(make_call("large"), BIG, other)) == ["big"]


def test_an_open_circuit_comes_after_the_fallbacks() -> None:
    health = Health(lambda: 1000.0)
    health.failed(make_target(BIG.url, "large"), Failure.REFUSED)
    made = with_rules(make_call("large"), BIG, BIG_TOO, SMALL, health=health)
    assert (hosts(made), made.alike) == (["big2", "small", "big"], 1)


def test_where_all_circuits_are_open_the_first_to_be_tried_again_is_asked() -> None:
    health = Health(lambda: 1000.0)
    for _ in range(2):
        health.failed(make_target(BIG.url, "large"), Failure.LATE)
    for url, name in ((BIG_TOO.url, "large"), (SMALL.url, "little")):
        health.failed(make_target(url, name), Failure.REFUSED)
    health.paused(make_target(SMALL.url, "little"), 5)
    made = with_rules(make_call("large"), BIG, BIG_TOO, SMALL, health=health)
    assert hosts(made) == ["big2", "small", "big"]


def test_a_long_prompt_goes_where_its_beginning_was() -> None:
    three = instances("a", "b", "c")
    places = set()
    for number in range(40):
        body = b'{"model":"m","messages":["%d%b' % (number, b"x" * PREFIX)
        firsts = {planned(make_call("m", body + bytes([65 + turn])), *three, turn=turn)[0] for turn in range(6)}
        assert len(firsts) == 1
        places |= firsts
    assert len(places) == 3


def test_a_long_prompt_leaves_the_instance_that_is_busier_than_its_share() -> None:
    three = instances("a", "b", "c")
    call = make_call("m", b'{"model":"m","messages":["%b' % (b"x" * PREFIX))
    (home, _), *others = planned(call, *three)
    assert planned(call, *three, busy={home: 1})[0] == (home, "m")
    assert planned(call, *three, busy={home: 3})[0][0] in {name for name, _ in others}


def test_what_is_hedged() -> None:
    rules = Rules(hedging={"embeddings": Hedge(0.2)})
    both = build([make_instance(url=f"http://{name}.test:8000", operations=CHATTY) for name in "ab"], {})
    embeddings = endpoint("embeddings")

    def hedge(call: Call) -> Hedge | None:
        return plan(call, both, lambda url: 0, 0, TIMEOUTS, rules).hedge

    assert hedge(make_call(at=embeddings)) == Hedge(0.2)
    assert plan(make_call(at=embeddings), both, lambda url: 0, 0, TIMEOUTS).hedge is None
    alone = build([make_instance(operations=CHATTY), make_instance(url="http://c.test:8000", models=("m2",))], {})
    fallback = Rules(hedging=rules.hedging, fallbacks={"m": ("m2",)})
    assert plan(make_call(at=embeddings), alone, lambda url: 0, 0, TIMEOUTS, fallback).hedge is None
    assert hedge(make_call()) is None
    assert hedge(make_call(at=embeddings, stream=True)) is None
    assert hedge(make_call(at=msgspec.structs.replace(embeddings, job="running"))) is None
