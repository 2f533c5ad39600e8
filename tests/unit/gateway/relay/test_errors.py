"""Services' errors in the envelope, whatever they were told in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.relay.errors import complete_envelope, is_envelope, translate

FULL = {"error": {"message": "no", "type": "t", "param": "p", "code": "c"}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (FULL, True),
        ({"error": {"message": "no"}}, True),
        ({"error": {"message": ""}, "more": 1}, True),
        ({"error": {"message": None}}, False),
        ({"error": {"detail": "no"}}, False),
        ({"error": "no"}, False),
        ({"message": "no"}, False),
        ([FULL], False),
        ("error", False),
        (None, False),
    ],
)
def test_what_is_the_envelope(value: Any, expected: bool) -> None:
    assert is_envelope(json.dumps(value).encode()) is expected


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b'"\xff"', b"[" * 100_000])
def test_bytes_that_are_no_json_are_not_the_envelope(body: bytes) -> None:
    assert not is_envelope(body)


def test_a_complete_envelope_passes_byte_for_byte() -> None:
    body = json.dumps(FULL, indent=3).encode()
    assert complete_envelope(body) == (body, "c")


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ({"message": "no"}, ""),
        ({"message": "no", "type": "t"}, "t"),
        ({"message": "no", "type": "t", "code": None}, "t"),
        ({"message": "no", "type": "t", "code": "c"}, "c"),
        ({"message": "no", "code": 42}, "42"),
    ],
)
def test_missing_fields_are_put_in_and_nothing_else_changes(error: dict[str, Any], word: str) -> None:
    body, told = complete_envelope(json.dumps({"error": error | {"extra": [1]}, "request_id": "x"}).encode())
    value = json.loads(body)
    assert told == word
    assert value == {
        "error": {"type": None, "param": None, "code": None, "extra": [1]} | error,
        "request_id": "x",
    }


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (400, 400, "invalid_request_error"),
        (401, 401, "invalid_api_key"),
        (404, 404, "not_found"),
        (422, 400, "invalid_request_error"),
        (418, 400, "invalid_request_error"),
        (429, 429, "rate_limit_exceeded"),
        (500, 502, "upstream_error"),
        (502, 502, "upstream_error"),
        (503, 503, "no_ready_service"),
        (504, 504, "upstream_timeout"),
        (507, 502, "upstream_error"),
        (999, 502, "upstream_error"),
    ],
)
def test_a_failed_service_is_502_and_a_refused_request_keeps_its_kind(status: int, told: int, code: str) -> None:
    error = translate(status, b"", "svc")
    assert (error.status, error.code) == (told, code)
    assert error.message == f"svc answered {status}: no reason given"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"loc":["body"],"msg":"x"}]}', '[{"loc":["body"],"msg":"x"}]'),
        (b'{"error":"model not loaded"}', "model not loaded"),
        (b'{"error":{"detail":"x"}}', '{"detail":"x"}'),
        (b'{"message":"busy"}', "busy"),
        (b'{"detail":"","message":"busy"}', "busy"),
        (b'{"other":1}', '{"other":1}'),
        (b"Internal\r\n  Server\tError\n", "Internal Server Error"),
        (b"\xff!", "\ufffd!"),
        (b"  \r\n", "no reason given"),
    ],
)
def test_it_says_what_the_service_said(body: bytes, said: str) -> None:
    assert translate(500, body, "svc").message == f"svc answered 500: {said}"


def test_a_page_instead_of_a_reason_is_cut_short() -> None:
    for body in (b"x" * 100_000, json.dumps({"detail": ["x" * 100_000]}).encode()):
        assert len(translate(500, body, "svc").message) < 600


@given(status=st.integers(400, 999), body=st.binary(max_size=100))
def test_whatever_comes_is_told_in_the_envelope(status: int, body: bytes) -> None:
    assert is_envelope(translate(status, body, "svc").body())
    if is_envelope(body):
        assert is_envelope(complete_envelope(body)[0])
