"""Who is asked, and in which order."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.contract.errors import ApiError
from nexus.gateway.plan.targets import MAX_ATTEMPTS, least_busy, plan
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, Route, State
from nexus.gateway.routes import route_for
from nexus.gateway.values import Call, Timeouts
from tests.servers.calls import endpoint, make_call, make_instance, make_target
from tests.servers.cards import model

TIMEOUTS = Timeouts(1, 2, 3, 4)


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


def test_no_more_than_three_are_tried() -> None:
    targets = planned(make_call(), *instances("a", "b", "c", "d", "e"), busy={"a": 1, "b": 1})
    assert [name for name, _ in targets] == ["c", "d", "e"]
    assert len(targets) == MAX_ATTEMPTS


@given(count=st.integers(1, 7), rounds=st.integers(1, 5), start=st.integers(0, 1000))
def test_idle_targets_are_first_equally_often(count: int, rounds: int, start: int) -> None:
    targets = tuple(make_target(f"http://{number}.test") for number in range(count))
    firsts = Counter(least_busy(targets, lambda url: 0, start + turn)[0] for turn in range(count * rounds))
    assert set(firsts.values()) == {rounds}


@given(loads=st.lists(st.integers(0, 5), min_size=1, max_size=8), turn=st.integers(0, 100))
def test_every_target_stays_and_loads_never_fall(loads: list[int], turn: int) -> None:
    targets = tuple(make_target(f"http://{number}.test") for number in range(len(loads)))
    by_url = {target.instance.url: load for target, load in zip(targets, loads, strict=True)}
    ordered = least_busy(targets, by_url.__getitem__, turn)
    assert set(ordered) == set(targets)
    assert [by_url[target.instance.url] for target in ordered] == sorted(loads)


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
