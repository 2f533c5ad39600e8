"""What upstreams' errors become, and that no key is in them."""

import json
from typing import Any

import pytest
from nexus_openai_compatible.errors import explainer, in_band

explain = explainer("up", "sk-secret")


def _body(message: str, code: Any = None, param: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": "x", "param": param, "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "expected", "code", "param"),
    [
        (400, _body("too long", "context_length_exceeded", "messages"), 400, "context_length_exceeded", "messages"),
        (422, b'{"detail": [{"loc": ["body", "n"], "msg": "no"}]}', 400, "invalid_request_error", "n"),
        (404, _body("The model `x` does not exist", "model_not_found"), 404, "model_not_found", "model"),
        (404, b'{"detail": "Not Found"}', 502, "upstream_error", None),
        (429, _body("slow down", "insufficient_quota"), 429, "insufficient_quota", None),
        (402, _body("no credit"), 429, "budget_exceeded", None),
        (401, _body("Incorrect API key provided: sk-secret"), 502, "upstream_error", None),
        (403, _body("not for sk-secret"), 502, "upstream_error", None),
        (503, _body("loading"), 503, "overloaded", None),
        (500, b"<html>", 502, "upstream_error", None),
    ],
)
def test_kinds(status: int, body: bytes, expected: int, code: str, param: str | None) -> None:
    error = explain(status, body)
    assert (error.status, error.code, error.param) == (expected, code, param)
    assert "sk-secret" not in error.message


def test_of_a_key_that_is_not_taken_no_word_is_passed_on() -> None:
    error = explain(401, _body("Incorrect API key provided: sk-s****et"))
    assert error.message == "up does not take the key that this service has"


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"message": "busy", "code": 429}, 429),
        ({"message": "bad", "status": 400}, 400),
        ({"message": "boom", "code": "server_error"}, 502),
        ("boom", 502),
    ],
)
def test_errors_inside_a_200(told: Any, status: int) -> None:
    error = in_band({"error": told}, explain)
    assert error.status == status
    assert ("boom" if status == 502 else told["message"]) in error.message
