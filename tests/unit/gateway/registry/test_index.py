from typing import Any

import pytest

from nexus.contract.card import Card
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import DynamicEndpoint, Instance, Route, Snapshot, State, Target

CHAT, EMBED = "chat.completions", "embeddings"


def instance(name: str, *, state: State = State.READY, at: str = "", **card: Any) -> Instance:
    given: dict[str, Any] = {"schema_version": "v1", "service": {"name": name}, **card}
    if "endpoints" not in card:
        given.setdefault("capabilities", {"operations": [CHAT]})
    url = f"http://{at or name}:8000"
    return Instance(url, "static", state, Card.model_validate(given), data_url=url)


def found(snapshot: Snapshot, operation: str, name: str) -> list[tuple[str, str | None]]:
    route = snapshot.by_model.get((operation, name), Route())
    return [(target.instance.service, target.model) for target in route.ready]


def test_models_are_found_by_id_and_by_alias() -> None:
    snapshot = build(
        [instance("llm", models=[{"id": "qwen", "aliases": ["small", "chat"]}])], {"gpt": "qwen", "g": "small"}
    )
    for name in ("qwen", "small", "chat", "gpt", "g"):
        assert found(snapshot, CHAT, name) == [("llm", "qwen")]
    assert snapshot.names[CHAT] == ("chat", "g", "gpt", "qwen", "small")
    assert found(snapshot, CHAT, "llm") == []


def test_a_model_on_demand_is_asked_also_while_it_is_not_in_memory() -> None:
    states = ("ready", "loading", "unloaded", "failed")
    models = [
        {"id": f"{state}-{lazy}", "state": state, "on_demand": lazy} for state in states for lazy in (True, False)
    ]
    snapshot = build([instance("llm", models=models)], {})
    able = [model["id"] for model in models if found(snapshot, CHAT, str(model["id"]))]
    assert able == ["ready-True", "ready-False", "loading-True", "unloaded-True"]
    waking = build([instance("llm", models=models, state=State.STARTING)], {})
    assert found(waking, CHAT, "unloaded-True") == []


def test_the_order_of_names_is_alias_then_id_then_card_alias_then_service() -> None:
    instances = [
        instance("a", models=[{"id": "one", "aliases": ["two", "four"]}]),
        instance("b", models=[{"id": "two"}]),
        instance("three"),
        instance("four"),
    ]
    assert found(build(instances, {}), CHAT, "two") == [("b", "two")]
    assert found(build(instances, {}), CHAT, "four") == [("a", "one")]
    assert found(build(instances, {}), CHAT, "three") == [("three", None)]
    assert found(build(instances, {"two": "three"}), CHAT, "two") == [("three", None)]
    assert found(build(instances, {"two": "unknown"}), CHAT, "two") == []


def test_a_model_answers_its_own_operations_or_else_all_of_its_service() -> None:
    both = instance(
        "both",
        capabilities={"operations": [CHAT, EMBED]},
        models=[{"id": "talks", "operations": [CHAT]}, {"id": "does-all"}],
    )
    snapshot = build([both], {})
    assert found(snapshot, CHAT, "talks") == [("both", "talks")]
    assert found(snapshot, EMBED, "talks") == []
    assert found(snapshot, EMBED, "does-all") == [("both", "does-all")]


def test_who_is_not_ready_is_waited_for() -> None:
    instances = [
        instance("up", models=[{"id": "m"}, {"id": "slow", "state": "loading"}]),
        *(
            instance(state.value, state=state, models=[{"id": "m"}])
            for state in (State.STARTING, State.UNREACHABLE, State.INVALID, State.UNKNOWN)
        ),
    ]
    snapshot = build(instances, {})
    route = snapshot.by_model[CHAT, "m"]
    assert [target.instance.service for target in route.ready] == ["up"]
    assert [target.instance.service for target in route.waiting] == ["starting", "unreachable", "invalid", "unknown"]
    assert snapshot.by_model[CHAT, "slow"] == Route((), (Target(instances[0], "slow"),))


def test_without_a_model_every_instance_is_a_target_once() -> None:
    loading_first = instance("a", models=[{"id": "one", "state": "loading"}, {"id": "two"}])
    none_ready = instance("b", models=[{"id": "three", "state": "failed"}])
    snapshot = build([loading_first, none_ready, instance("c")], {})
    route = snapshot.by_operation[CHAT]
    assert [(target.instance.service, target.model) for target in route.ready] == [("a", "two"), ("c", None)]
    assert [(target.instance.service, target.model) for target in route.waiting] == [("b", "three")]


def test_copies_of_a_service_share_a_route_and_one_instance_is_in_it_once() -> None:
    models = [{"id": "one", "aliases": ["x"]}, {"id": "two", "aliases": ["x"]}]
    snapshot = build([instance("a", at="a1", models=models), instance("a", at="a2", models=models)], {})
    targets = snapshot.by_model[CHAT, "x"].ready
    assert [(target.instance.url, target.model) for target in targets] == [
        ("http://a1:8000", "one"),
        ("http://a2:8000", "one"),
    ]


def test_one_that_needs_models_and_has_none_is_not_asked_while_others_can_be() -> None:
    def engine(name: str, *models: dict[str, Any]) -> Instance:
        return instance(name, capabilities={"operations": [CHAT, EMBED], "needs_models": True}, models=models)

    empty, talks = engine("empty"), engine("talks", {"id": "m", "operations": [CHAT]})
    snapshot = build([empty, talks], {})
    assert snapshot.by_operation[CHAT] == Route((Target(talks, "m"),), (Target(empty, None),))
    assert snapshot.by_operation[EMBED] == Route((), (Target(empty, None), Target(talks, None)))
    assert (CHAT, "empty") not in snapshot.by_model
    assert snapshot.names[EMBED] == ()


def test_an_operation_that_none_of_the_models_answers_goes_to_the_service() -> None:
    mixed = instance(
        "mixed", capabilities={"operations": [CHAT, "moderations"]}, models=[{"id": "m", "operations": [CHAT]}]
    )
    snapshot = build([mixed], {})
    assert found(snapshot, "moderations", "mixed") == [("mixed", None)]


def greeter(name: str, path: str = "/v1/greet", operation: str = "greeter.greet", method: str = "POST") -> Instance:
    return instance(name, endpoints=[{"operation": operation, "method": method, "path": path}])


def test_an_endpoint_of_its_own_is_served_under_its_path() -> None:
    snapshot = build([greeter("greeter"), greeter("greeter-2")], {})
    assert snapshot.endpoints == {("POST", "/v1/greet"): DynamicEndpoint("greeter.greet", "POST", "/v1/greet")}
    assert len(snapshot.by_operation["greeter.greet"].ready) == 2
    assert found(snapshot, "greeter.greet", "greeter") == [("greeter", None)]


@pytest.mark.parametrize(
    "path",
    [
        "/greet",
        "/v1/models",
        "/v1/models/x",
        "/v1/services/a/b",
        "/v1/admin/x",
        "/v1/calls/x",
        "/v1/registry",
        "/v1/embeddings",
        "/health",
    ],
)
def test_a_path_that_is_not_free_is_left_out_with_a_reason(path: str) -> None:
    snapshot = build([greeter("greeter", path)], {})
    assert snapshot.endpoints == {}
    assert snapshot.by_operation == {}
    assert path in snapshot.instances[0].reason
    assert snapshot.instances[0].state is State.READY


def test_paths_with_parameters_are_left_out() -> None:
    assert "has parameters" in build([greeter("greeter", "/v1/greet/{name}")], {}).instances[0].reason


def test_a_path_belongs_to_one_operation() -> None:
    snapshot = build([greeter("a"), greeter("b", operation="other.greet"), greeter("c", "/v1/elsewhere")], {})
    assert set(snapshot.endpoints) == {("POST", "/v1/greet")}
    assert [target.instance.service for target in snapshot.by_operation["greeter.greet"].ready] == ["a"]
    assert "already that of greeter.greet" in snapshot.instances[1].reason
    assert "at other paths" in snapshot.instances[2].reason


def test_a_standard_operation_has_its_usual_path() -> None:
    odd = instance("odd", endpoints=[{"operation": EMBED, "path": "/api/embed"}])
    snapshot = build([odd], {})
    assert snapshot.by_operation == {}
    assert (
        snapshot.instances[0].reason == "operation embeddings is not served: its path is /v1/embeddings, not /api/embed"
    )


def test_an_instance_without_a_card_is_shown_and_nothing_more() -> None:
    unknown = Instance("http://x:1", "dns:x")
    snapshot = build([unknown], {}, settled=False, version=7)
    assert snapshot.instances == (unknown,)
    assert (snapshot.by_model, snapshot.by_operation) == ({}, {})
    assert (snapshot.settled, snapshot.version) == (False, 7)


def test_the_reason_for_not_being_ready_is_not_overwritten() -> None:
    from dataclasses import replace

    waiting = replace(greeter("greeter", "/greet"), state=State.STARTING, reason="loading")
    assert build([waiting], {}).instances[0].reason == "loading"
