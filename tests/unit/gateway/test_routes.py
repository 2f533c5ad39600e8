"""Who can answer a call, also at a service's own path, and in a view that leaves out models."""

import pytest
from msgspec.structs import replace

from nexus.gateway.endpoints import Endpoint
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import State
from nexus.gateway.routes import route_of
from nexus.gateway.values import Routed
from nexus.gateway.views import narrowed
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from nexus.policies.routing.rule import Within
from tests.servers.calls import make_call, make_instance

ONE = make_instance("svc", url="http://one", models=("m", "n"))
TWO = make_instance("svc", url="http://two", models=("m",), state=State.STARTING)
SNAPSHOT = build([ONE, TWO, make_instance("else", url="http://three", models=("m",))], {})
VIEW = narrowed(SNAPSHOT, Policy("p", models=Globs(["m"])))


def at(operation: str) -> Endpoint:
    return Endpoint(operation, "POST", "/v1/x", service="svc")


def test_by_model() -> None:
    assert [target.instance.url for target in route_of(make_call("m"), SNAPSHOT).ready] == [
        "http://one",
        "http://three",
    ]
    assert [target.instance.url for target in route_of(make_call("m"), SNAPSHOT).waiting] == ["http://two"]


@pytest.mark.parametrize(
    ("operation", "model", "whole", "seen"),
    [
        ("chat.completions", "m", ["m"], ["m"]),
        ("chat.completions", "n", ["n"], []),
        ("chat.completions", "who", [None], []),
        ("chat.completions", None, [None], ["m"]),
        ("of.its.own", None, [None], []),
    ],
)
def test_at_a_services_own_path(
    operation: str, model: str | None, whole: list[str | None], seen: list[str | None]
) -> None:
    call = make_call(model, at=at(operation))
    assert [target.model for target in route_of(call, SNAPSHOT).ready] == whole
    assert [target.model for target in route_of(call, VIEW).ready] == seen
    assert {target.instance.url for target in route_of(call, SNAPSHOT).ready} <= {"http://one"}


@pytest.mark.parametrize(
    ("operation", "model", "seen"),
    [
        ("service.page", None, ["http://one#itself"]),
        ("models.load", "m", ["http://one#itself"]),
        ("models.load", "n", []),
        ("models.pull", "unheard-of", []),
    ],
)
def test_pages_and_verbs_on_models_at_a_service(operation: str, model: str | None, seen: list[str]) -> None:
    call = make_call(None, at=Endpoint(operation, "POST", "/v1/x", service="svc", itself=True, model=model))
    assert route_of(call, SNAPSHOT).ready
    assert [
        target.instance.url for target in route_of(call, VIEW).ready if target.instance.state is State.READY
    ] == seen


def test_a_rule_bounds_who_may_answer() -> None:
    call = replace(make_call("m"), routed=Routed(1, "1", within=Within(service=Globs(["else"]))))
    assert [target.instance.url for target in route_of(call, SNAPSHOT).ready] == ["http://three"]
    assert not route_of(call, SNAPSHOT).waiting
    here = build([make_instance("svc", url="http://eu", instance="gpu-1", region="eu")], {})
    for within, found in (
        (Within(region=Globs(["e*"])), 1),
        (Within(region=Globs(["us"])), 0),
        (Within(instance=Globs(["gpu-*"])), 1),
        (Within(instance=Globs(["cpu"])), 0),
    ):
        call = replace(make_call("m"), routed=Routed(1, "1", within=within))
        assert len(route_of(call, here).ready) == found
