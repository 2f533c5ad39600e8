"""What the engine's refusals mean."""

import json
from typing import Any

import pytest
from nexus_invokeai.refusals import AnsweredError, failed


def invalid(*place: str) -> list[dict[str, Any]]:
    return [{"type": "x", "loc": ["body", "batch", "graph", "nodes", *place], "msg": "is too much", "input": 1}]


@pytest.mark.parametrize(
    ("answered", "detail", "status", "param"),
    [
        (422, invalid("denoise", "denoise_latents", "cfg_scale"), 400, "guidance_scale"),
        (422, invalid("noise", "noise", "width"), 400, "size"),
        (422, invalid("ml", "sdxl_model_loader", "model"), 502, None),
        (500, "database is locked", 502, None),
        (404, "not found", 502, None),
        (401, "Missing authentication credentials", 503, None),
        (403, "Forbidden", 503, None),
        (503, "busy", 503, None),
    ],
)
def test_answers(answered: int, detail: Any, status: int, param: str | None) -> None:
    error = AnsweredError(answered, json.dumps({"detail": detail}).encode())
    assert (error.status, error.param, error.answered) == (status, param, answered)


def test_the_reason_is_told() -> None:
    assert "database is locked" in AnsweredError(500, b'{"detail": "database is locked"}').message
    assert (
        "nodes.noise.noise.width: is too much"
        in AnsweredError(422, json.dumps({"detail": invalid("noise", "noise", "width")}).encode()).message
    )
    assert AnsweredError(500, b"<html>").message.endswith("<html>")
    assert "[[" in AnsweredError(500, b"[" * 60_000).message
    assert "is too much" in AnsweredError(422, b'{"detail": [{"loc": 7, "msg": "is too much"}]}').message
    assert "NEXUS_INVOKEAI_TOKEN" in AnsweredError(401, b"").message


def test_failures() -> None:
    assert failed("CUDA out of memory.", "RuntimeError").code == "overloaded"
    assert failed("x", "OutOfMemoryError").code == "overloaded"
    assert failed("x", "ValueError").message == "the engine failed: ValueError: x"
