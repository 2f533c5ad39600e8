"""An engine's refusals in the shapes that engines have them."""

import json
from typing import Any

import pytest

from nexus.sdk.explaining import engine_message, explain


@pytest.mark.parametrize(
    ("status", "told", "code", "is_status"),
    [
        (400, "invalid_request_error", "invalid_request_error", 400),
        (422, "bad", "invalid_request_error", 400),
        (404, "model 'x' not found, try pulling it first", "model_not_found", 404),
        (404, "page not found", "upstream_error", 502),
        (401, "no key", "upstream_error", 502),
        (405, "", "upstream_error", 502),
        (408, "late", "upstream_timeout", 504),
        (409, "busy", "conflict", 409),
        (413, "too large", "request_too_large", 413),
        (429, "slow down", "rate_limit_exceeded", 429),
        (500, "crashed", "upstream_error", 502),
        (503, "loading", "overloaded", 503),
        (504, "late", "upstream_timeout", 504),
        (507, "full", "insufficient_storage", 507),
        (302, "", "upstream_error", 502),
    ],
)
def test_each_status_is_a_class_of_error(status: int, told: str, code: str, is_status: int) -> None:
    error = explain(status, json.dumps({"error": told}).encode())
    assert (error.code, error.status) == (code, is_status)
    assert told in error.message
    assert bool(error.retry_after) == (status in (429, 503))


def test_a_refusal_without_words_names_its_status() -> None:
    assert explain(500, b"").message == "the engine answered with status 500"
    assert explain(400, b"<html>no</html>").message == "the engine answered with status 400"
    assert explain(500, b"boom").message == "the engine answered with status 500: boom"


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ({"error": "model is\nrequired"}, "model is required", None),
        ({"error": {"message": "too long", "param": "input", "code": 400}}, "too long", "input"),
        ({"object": "error", "message": "old vLLM", "param": None}, "old vLLM", None),
        ({"detail": "Not Found"}, "Not Found", None),
        ({"detail": [{"loc": ["body", "n", 0], "msg": "is no number"}]}, "is no number", "n.0"),
        ({"error": {"type": "prompt_no_outputs", "message": "Prompt has no outputs"}}, "Prompt has no outputs", None),
        ({"error": {}}, "", None),
        ({"ok": False}, "", None),
        ([1], "", None),
        ("plain", "plain", None),
    ],
)
def test_the_engines_words(body: Any, message: str, param: str | None) -> None:
    assert engine_message(json.dumps(body).encode()) == (message, param)


def test_words_are_bounded_and_any_bytes_are_borne() -> None:
    assert len(engine_message(b"x" * 5000)[0]) == 1000
    assert engine_message(b"\xff\xfe") == ("\ufffd\ufffd", None)
    assert engine_message(b"[" * 100_000)[0].startswith("[[")
