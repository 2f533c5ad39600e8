"""What Ollama's own errors become."""

import json

import pytest
from nexus_ollama.errors import explain, refusal

BUSY = "server busy, please try again.  maximum pending requests exceeded"


@pytest.mark.parametrize(
    ("status", "told", "expected", "code", "param"),
    [
        (503, BUSY, 503, "overloaded", None),
        (404, "model 'x' not found", 404, "model_not_found", "model"),
        (500, 'model "x" not found, try pulling it first', 404, "model_not_found", "model"),
        (400, "the input length exceeds the context length", 400, "context_length_exceeded", None),
        (400, "registry.ollama.ai/library/x does not support tools", 400, "invalid_request_error", "tools"),
        (400, '"x" does not support thinking', 400, "invalid_request_error", "reasoning_effort"),
        (400, "json: cannot unmarshal", 400, "invalid_request_error", None),
        (429, "slow down", 429, "rate_limit_exceeded", None),
        (401, "unauthorized", 502, "upstream_error", None),
        (500, "unable to load model: /blobs/sha256-1", 502, "upstream_error", None),
    ],
)
def test_kinds(status: int, told: str, expected: int, code: str, param: str | None) -> None:
    error = explain(status, json.dumps({"error": told}).encode())
    assert (error.status, error.code, error.param) == (expected, code, param)
    assert told.split(maxsplit=1)[0] in error.message


def test_a_full_queue_says_when_to_come_again() -> None:
    assert refusal(503, BUSY).headers() == {"retry-after": "2"}


@pytest.mark.parametrize("body", [b"", b"404 page not found", b'{"error": 3}', b"[]", b"\xff"])
def test_bodies_of_no_known_shape(body: bytes) -> None:
    error = explain(500, body)
    assert error.status == 502
    assert error.message
