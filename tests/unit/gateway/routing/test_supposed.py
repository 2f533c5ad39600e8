"""Calls that nobody makes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from nexus.contract.errors import PERMISSION_DENIED, ApiError
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.routing.router import Router
from nexus.gateway.routing.supposed import Supposed, supposed_call, told_of
from nexus.gateway.shapes.questions import Question
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.globs import Globs
from nexus.policies.routing.conditions import Length, Named
from nexus.policies.routing.rule import Deny, Rule, Use
from nexus.policies.token import Bearer
from tests.servers.calls import make_instance

SNAPSHOT = build(
    [make_instance(operations=(), endpoints=[{"operation": "weather.now", "method": "GET", "path": "/v1/weather"}])], {}
)


def supposed(**question: Any) -> tuple[Call, Supposed]:
    asked = Question(**question)
    call = supposed_call(asked, Bearer("ada"), SNAPSHOT)
    return call, Supposed(Router(Views(Snapshot)).ask(call), asked)


def test_what_is_told_beside_the_body_counts_for_more() -> None:
    call, asked = supposed(model="m", stream=True, headers={"x-tier": "gold"}, body={"model": "n", "tools": [1]})
    assert (call.model, call.stream, asked.header("x-tier"), asked.has_tools) == ("m", True, ["gold"], True)
    _, asked = supposed(has_tools=False, has_images=True, prompt_tokens=7, at="2026-01-01T23:00", body={"tools": [1]})
    assert (asked.has_tools, asked.has_images, asked.prompt_tokens) == (False, True, 7)
    assert asked.moment == datetime(2026, 1, 1, 23, tzinfo=UTC)


def test_a_services_own_operation_can_be_asked_about_and_one_that_is_not_there_cannot() -> None:
    assert supposed(operation="weather.now")[0].request.endpoint.path == "/v1/weather"
    with pytest.raises(ApiError, match=r"no operation 'chat\.completion'"):
        supposed(operation="chat.completion")
    for model in (5, "", "\ud800"):
        with pytest.raises(ApiError, match=r"body\.model"):
            supposed(body={"model": model})


def test_numbers_of_any_size_may_be_in_its_body() -> None:
    assert supposed(body={"n": 10**30, "tools": [1]})[1].has_tools


def test_each_rule_says_why() -> None:
    rules = (Rule(1, (Named("model", Globs(["chat"])), Length(over=10)), Use("a")), Rule(2, (), Deny("no")))
    call, asked = supposed(model="chat", prompt_tokens=10)
    told = told_of(call, rules, asked, None, ApiError(PERMISSION_DENIED, "no", more={"x-nexus-route": "2; deny"}))
    assert [(one["rule"], one["matches"], one["action"]) for one in told["rules"]] == [
        (1, False, "use model=a"),
        (2, True, "deny"),
    ]
    assert told["rules"][0]["conditions"] == [
        {"condition": "model", "wanted": "chat", "found": "chat", "holds": True},
        {"condition": "prompt_tokens_over", "wanted": "10", "found": "10", "holds": False},
    ]
    assert (told["rule"], told["status"], told["message"], told["header"]) == (2, 403, "no", "2; deny")
