"""What becomes of a body whose parameters are ruled."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.admit.guards.parameters import rule_parameters
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.globs import Globs
from nexus.policies.parameters import Overrides, Parameters, Rules
from nexus.policies.policy import Policy
from tests.servers.calls import endpoint

Ruled = Callable[..., dict[str, Any]]


@pytest.fixture
def ruled(views: Views, call_of: Callable[..., Call]) -> Ruled:
    def rule(rules: Rules | Parameters, body: dict[str, Any], operation: str = "chat.completions", model: Any = "m"):
        policy = Policy("p", parameters=rules if isinstance(rules, Parameters) else Parameters(rules))
        call = call_of(policy, model, body=json.dumps(body).encode(), at=endpoint(operation))
        return json.loads(rule_parameters(call, policy, views).request.body)

    return rule


@pytest.mark.parametrize(
    ("operation", "asked", "sent"),
    [
        ("chat.completions", {}, {"max_tokens": 50}),
        ("chat.completions", {"max_tokens": 10}, {"max_tokens": 10}),
        ("chat.completions", {"max_tokens": 51}, {"max_tokens": 50}),
        ("chat.completions", {"max_tokens": -1}, {"max_tokens": 50}),
        ("chat.completions", {"max_tokens": None}, {"max_tokens": 50}),
        ("chat.completions", {"max_completion_tokens": 99}, {"max_completion_tokens": 50}),
        (
            "chat.completions",
            {"max_completion_tokens": 99, "max_tokens": 98},
            {"max_completion_tokens": 50, "max_tokens": 50},
        ),
        ("responses", {}, {"max_output_tokens": 50}),
        ("messages", {"max_tokens": 99}, {"max_tokens": 50}),
        ("completions", {"prompt": "x"}, {"prompt": "x", "max_tokens": 50}),
        ("embeddings", {"max_tokens": 99}, {"max_tokens": 99}),
    ],
)
def test_answers_are_no_longer_than_they_may_be(
    ruled: Ruled, operation: str, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert ruled(Rules(max_tokens=50), asked, operation) == sent


@pytest.mark.parametrize("value", ["9", 1.5, True, [1]])
def test_a_length_that_is_no_number_is_400(ruled: Ruled, value: object) -> None:
    with pytest.raises(ApiError) as caught:
        ruled(Rules(max_tokens=50), {"max_tokens": value})
    assert (caught.value.status, caught.value.param) == (400, "max_tokens")


def test_forced_forbidden_and_prefixed(ruled: Ruled) -> None:
    rules = Rules(force={"temperature": 0, "stop": ["x"]}, forbid=("tools",), system_prefix="W")
    assert ruled(rules, {"temperature": 2, "messages": [], "n": 1}) == {
        "temperature": 0,
        "stop": ["x"],
        "n": 1,
        "messages": [{"role": "system", "content": "W"}],
    }
    with pytest.raises(ApiError) as caught:
        ruled(rules, {"messages": [], "tools": None})
    assert (caught.value.status, caught.value.code, caught.value.param) == (403, "permission_denied", "tools")


def test_rules_are_those_of_the_model_that_an_alias_stands_for(ruled: Ruled) -> None:
    parameters = Parameters(Rules(max_tokens=50), (Overrides(Globs(["other"]), max_tokens=5),))
    assert ruled(parameters, {}, model="m") == {"max_tokens": 50}
    assert ruled(parameters, {}, model="alias") == {"max_tokens": 5}
    assert ruled(parameters, {}, model="unknown") == {"max_tokens": 50}


def test_without_rules_the_body_is_the_clients(views: Views, call_of: Callable[..., Call]) -> None:
    call = call_of(Policy("p"))
    assert rule_parameters(call, Policy("p"), views) is call


def test_numbers_stay_as_they_were_written(views: Views, call_of: Callable[..., Call]) -> None:
    policy = Policy("p", parameters=Parameters(Rules(max_tokens=5)))
    body = b'{"seed":12345678901234567890123,"temperature":1.0e0}'
    sent = rule_parameters(call_of(policy, body=body), policy, views).request.body
    assert sent == b'{"seed":12345678901234567890123,"temperature":1.0e0,"max_tokens":5}'


def test_keys_that_are_no_text_are_400(views: Views, call_of: Callable[..., Call]) -> None:
    policy = Policy("p", parameters=Parameters(Rules(max_tokens=5)))
    with pytest.raises(ApiError) as caught:
        rule_parameters(call_of(policy, body=b'{"\xff":1}'), policy, views)
    assert caught.value.status == 400
