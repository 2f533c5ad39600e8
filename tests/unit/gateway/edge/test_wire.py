"""The bytes of answers."""

import pytest

from nexus.contract.errors import INVALID_REQUEST, METHOD_NOT_ALLOWED, NO_READY_SERVICE, ApiError
from nexus.gateway.edge import wire


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
        (299, b"HTTP/1.1 299 \r\n"),
        (599, b"HTTP/1.1 599 \r\n"),
        (600, b"HTTP/1.1 600 \r\n"),
        (999, b"HTTP/1.1 999 \r\n"),
    ],
)
def test_a_status_line_for_every_status(status: int, line: bytes) -> None:
    assert wire.status_line(status) == line


def test_chunks() -> None:
    assert wire.chunk(b"a") == b"1\r\na\r\n"
    assert wire.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert wire.LAST_CHUNK == b"0\r\n\r\n"


def test_the_head_of_an_error_has_its_own_headers() -> None:
    waiting = ApiError(NO_READY_SERVICE, "no", retry_after=1.2)
    assert wire.error_head(waiting, "req-1") == (
        b"content-type: application/json\r\nx-request-id: req-1\r\nretry-after: 2\r\n"
    )
    assert b"\r\nallow: POST\r\n" in wire.error_head(ApiError(METHOD_NOT_ALLOWED, "no", allow="POST"), "req-1")


def test_a_whole_error_is_framed_and_ends_the_connection() -> None:
    error = ApiError(INVALID_REQUEST, "né")
    head, _, body = wire.error_answer(error, "req-1", b"date: now\r\n").partition(b"\r\n\r\n")
    assert body == error.body()
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 400 Bad Request",
        b"date: now",
        b"content-type: application/json",
        b"x-request-id: req-1",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
