"""The family of errors: OpenAI's envelope, statuses, and the headers that go with them."""

import json

import pytest

from nexus.contract import errors
from nexus.contract.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    KINDS,
    METHOD_NOT_ALLOWED,
    OVERLOADED,
    RATE_LIMIT_EXCEEDED,
    ApiError,
    kind_of_status,
)


def test_the_envelope_is_openais() -> None:
    error = ApiError(INVALID_REQUEST, "no such thing", param="messages[0]", code="context_length_exceeded")
    assert error.status == 400
    assert json.loads(error.body()) == {
        "error": {
            "message": "no such thing",
            "type": "invalid_request_error",
            "param": "messages[0]",
            "code": "context_length_exceeded",
        }
    }
    assert str(error) == "no such thing"


def test_the_kinds_word_is_the_code_unless_a_more_precise_one_is_given() -> None:
    assert ApiError(OVERLOADED, "x").code == "overloaded"
    assert ApiError(OVERLOADED, "x", code="draining").code == "draining"


def test_a_message_of_any_characters_is_utf8_json() -> None:
    message = 'ü "quoted" \u2028 \x00'
    assert json.loads(ApiError(INTERNAL_ERROR, message).body())["error"]["message"] == message


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1, "1"), (1.01, "2"), (30, "30")])
def test_retry_after_is_whole_seconds_rounded_up(seconds: float, header: str) -> None:
    assert ApiError(OVERLOADED, "x", retry_after=seconds).headers() == {"retry-after": header}


def test_half_characters_in_words_that_are_passed_on() -> None:
    told = json.loads(ApiError(OVERLOADED, "\ud83d\ude00 \udfff", param="\ud800").body())["error"]
    assert (told["message"], told["param"]) == ("\U0001f600 \ufffd", "\ufffd")


def test_no_header_without_retry_after() -> None:
    assert ApiError(OVERLOADED, "x").headers() == {}


def test_codes_are_unique_and_kinds_complete() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    declared = {value for value in vars(errors).values() if isinstance(value, errors.ErrorKind)}
    assert declared == set(KINDS)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid_request_error"), (404, "not_found"), (418, "invalid_request_error"), (429, "rate_limit_exceeded"),
     (500, "internal_error"), (503, "no_ready_service"), (599, "internal_error")],
)  # fmt: skip
def test_kind_of_status(status: int, code: str) -> None:
    assert kind_of_status(status).code == code


def test_an_error_may_have_headers_of_its_own() -> None:
    error = ApiError(RATE_LIMIT_EXCEEDED, "too many", retry_after=1.2, more={"x-left": "0"})
    assert error.headers() == {"x-left": "0", "retry-after": "2"}
    assert ApiError(METHOD_NOT_ALLOWED, "no", allow="GET", more={"x-left": "0"}).headers() == {
        "x-left": "0",
        "allow": "GET",
    }
