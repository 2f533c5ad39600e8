"""What the head of an answer says, and which of its lines go on."""

import pytest

from nexus.gateway.upstream.head import AnswerHead, read_head


@pytest.mark.parametrize(
    ("status", "lines", "framed", "length"),
    [
        (200, b"Content-Length: 5\r\n", True, 5),
        (200, b"content-length:5 \t\r\n", True, 5),
        (200, b"Transfer-Encoding: chunked\r\n", True, None),
        (200, b"", False, None),
        (204, b"", True, None),
        (304, b"", True, None),
    ],
)
def test_what_tells_where_the_body_ends(status: int, lines: bytes, framed: bool, length: int | None) -> None:
    head, told = read_head(status, lines)
    assert (head.status, head.framed, told) == (status, framed, length)


@pytest.mark.parametrize(
    ("value", "json", "events"),
    [
        (b"application/json", True, False),
        (b"Application/JSON; charset=utf-8", True, False),
        (b"text/event-stream", False, True),
        (b"TEXT/event-stream;charset=utf-8", False, True),
        (b"text/plain", False, False),
        (b"", False, False),
    ],
)
def test_what_the_body_is(value: bytes, json: bool, events: bool) -> None:
    head, _ = read_head(200, b"Content-Type:  " + value + b"\r\n")
    assert (head.is_json, head.is_events) == (json, events)


def test_lines_go_on_as_they_came_and_in_their_order() -> None:
    lines = b"X-B:1\r\nx-a:  \xe9 \r\nX-B: 2:3\r\nempty:\r\n"
    head, _ = read_head(200, b"Server: s\r\n" + lines + b"Connection: x\r\nX-NEXUS-Model: m\r\n")
    assert head.forwarded == lines
    assert [name for name, _ in head.lines()] == [b"x-b", b"x-a", b"x-b", b"empty"]
    assert b"".join(line for _, line in head.lines()) == lines


def test_before_it_came_it_says_nothing() -> None:
    assert (AnswerHead().status, AnswerHead().lines(), AnswerHead().framed) == (0, [], False)
