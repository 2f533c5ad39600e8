"""Bytes of an HTTP/1.1 answer: status lines, framing and the error envelope."""

from http import HTTPStatus
from typing import Final

from nexus.contract.errors import ApiError

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES: Final = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode() for status in range(100, 600)
}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE: Final = b"connection: close\r\n"
KEEP_ALIVE: Final = b"connection: keep-alive\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


def status_line(status: int) -> bytes:
    """The first line, for any status an engine may think of."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def error_head(error: ApiError, request_id: str) -> bytes:
    """The header lines of an error's answer, without framing headers."""
    lines = ["content-type: application/json", f"x-request-id: {request_id}"]
    lines += [f"{name}: {value}" for name, value in error.headers().items()]
    return ("\r\n".join(lines) + "\r\n").encode()


def error_answer(error: ApiError, request_id: str, date: bytes) -> bytes:
    """A whole answer that tells `error` and ends the connection."""
    body = error.body()
    length = b"content-length: %d\r\n" % len(body)
    return b"".join((status_line(error.status), date, error_head(error, request_id), length, CLOSE, b"\r\n", body))
