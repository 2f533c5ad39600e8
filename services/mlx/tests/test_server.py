"""What the server's refusals and its lists mean."""

import json

import pytest
from nexus_mlx.server import DEAD, explained, models_listed

from nexus.contract.errors import ApiError


def told(words: str) -> bytes:
    return json.dumps({"error": words}).encode()


@pytest.mark.parametrize(
    ("status", "body", "wanted", "code"),
    [
        (400, told("'str' object has no attribute 'get'"), 400, "invalid_request_error"),
        (404, told("Repository Not Found"), 404, "model_not_found"),
        (404, b"Not Found", 404, "model_not_found"),
        (404, told("generation thread died"), 503, DEAD),
        (503, b'{"status": "unavailable"}', 503, DEAD),
        (411, told("Content-Length header is required"), 502, "upstream_error"),
        (413, b"", 413, "request_too_large"),
        (500, b"<html>", 502, "upstream_error"),
        (500, b"\xff", 502, "upstream_error"),
        (500, b"[" * 60_000, 502, "upstream_error"),
    ],
)
def test_refusals(status: int, body: bytes, wanted: int, code: str) -> None:
    error = explained(status, body)
    assert (error.status, error.code) == (wanted, code)


def test_lists_of_models() -> None:
    assert models_listed(b"") == ()
    assert models_listed(b'{"object": "list", "data": [{"id": "a/b"}]}') == ("a/b",)
    for body in (b"<html>", b'{"data": 5}', b"[]", b'{"data": [{"name": "x"}]}', b"[" * 60_000):
        with pytest.raises(ApiError) as caught:
            models_listed(body)
        assert caught.value.status == 502
