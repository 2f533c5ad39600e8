"""The values cannot be changed on their way, and an outcome is the log line as it stands."""

from math import inf
from typing import Any

import msgspec
import pytest

from nexus.contract.usage import Usage
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.values import Head, Outcome, Plan, Routed, Timeouts
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer
from tests.servers.calls import CHAT, make_call, make_request, make_target

OUTCOME = Outcome(1.5, "info", "request", "req-1", "administrator", "chat.completions", 200, 12.5)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (make_request(), "body"),
        (make_call(), "model"),
        (Timeouts(), "idle"),
        (Plan((make_target(),), Timeouts()), "targets"),
        (OUTCOME, "status"),
    ],
)
def test_values_are_frozen(value: object, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(value, field, None)


@pytest.mark.parametrize(
    ("given", "usual"),
    [
        ({}, True),
        ({"bearer": Bearer("ada", Policy("p", rpm=5))}, True),
        ({"bearer": Bearer("ada", Policy("p", models=Globs(["m"])))}, False),
        ({"endpoint": Endpoint("chat.completions", "POST", "/v1/chat/completions", service="svc")}, False),
        ({"timeout": 5.0}, False),
        ({"deadline": 1_764_000_000.0}, False),
    ],
)
def test_which_heads_are_usual(given: dict[str, Any], usual: bool) -> None:
    head = Head(**{"endpoint": CHAT, "target": "", "lines": b"", "content_type": b"", "bearer": Bearer("ada")} | given)
    assert head.is_usual is usual


def test_an_outcome_in_json_leaves_out_what_did_not_happen() -> None:
    assert msgspec.json.decode(msgspec.json.encode(OUTCOME)) == {
        "ts": 1.5,
        "level": "info",
        "event": "request",
        "request_id": "req-1",
        "token": "administrator",
        "operation": "chat.completions",
        "status": 200,
        "ms": 12.5,
    }


def test_an_outcome_in_json_has_all_that_did() -> None:
    outcome = msgspec.structs.replace(OUTCOME, model="m", stream=True, ttft_ms=0.0, usage=Usage(7, 5), error="x")
    line = msgspec.json.decode(msgspec.json.encode(outcome))
    assert line["usage"]["prompt_tokens"] == 7
    assert (line["model"], line["stream"], line["ttft_ms"], line["error"]) == ("m", True, 0.0, "x")


def test_a_reader_may_stay_away_as_long_as_an_answer_may_take_if_that_is_bounded() -> None:
    assert Timeouts(idle=5, total=60).reader == 60
    assert Timeouts(idle=5, total=inf).reader == 5


@pytest.mark.parametrize(
    ("timeout", "deadline", "total"),
    [(None, None, 60), (5, None, 5), (90, None, 60), (None, 1030, 30), (None, 900, 0), (5, 1030, 5), (50, 1030, 30)],
)
def test_a_client_can_only_make_its_time_shorter(timeout: float, deadline: float, total: float) -> None:
    head = msgspec.structs.replace(make_request().head, timeout=timeout, deadline=deadline)
    assert Timeouts(idle=5, total=60).within(head, now=1000) == Timeouts(idle=5, total=total)


def test_a_rule_is_told_in_one_header_line() -> None:
    assert Routed(2, "2; use model=a").head == b"x-nexus-route: 2; use model=a\r\n"
