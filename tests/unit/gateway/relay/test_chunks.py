"""Chunks in bytes: what is plain, what is malformed, what an error says."""

from typing import Any

import pytest

from nexus.gateway.relay.chunks import encoded, events_in, is_done, is_final, is_plain, payload_of, value_of


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (b'data: {"a":1}\n\n', True),
        ('data: {"a":"\u00e9"}\n\n'.encode(), True),
        (b'data: {"error":null}\n\n', True),
        (b'data: {"error":{"message":"x"}}\n\n', False),
        (b'data: {"error":"x"}\n\n', False),
        (b'data: {"a":1}\n\ndata: {"a":2}\n\n', False),
        (b'data: {"a":1}\r\n\r\n', False),
        (b'data: {"a":\n\n', False),
        (b'data: {"a":1}x\n\n', False),
        (b'data: {"a":"\xff"}\n\n', False),
        (b"data: [DONE]\n\n", False),
        (b"data: [1]\n\n", False),
        (b": comment\n\n", False),
        (b'event: x\ndata: {"a":1}\n\n', False),
        (b'data: {"a":' * 100_000 + b"\n\n", False),
        (b"", False),
    ],
)
def test_what_needs_no_second_look(data: bytes, plain: bool) -> None:
    assert is_plain(data) is plain


def test_events_are_told_apart_whatever_ends_their_lines() -> None:
    stream = b'data: {}\n\n: ping\r\n\r\nevent: x\ndata:{"a":\ndata: 1}\n\ndata: [DONE]\r\r'
    assert [payload for _, payload in events_in(stream)] == [b"{}", b"", b'{"a":\n1}', b"[DONE]"]
    assert b"".join(raw for raw, _ in events_in(stream)) == stream


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'{"a":"\\ud83d"}', {"a": "\ud83d"}),
        (b"[1]", None),
        (b"1", None),
        (b'{"a"', None),
        (b"", None),
        (b'{"a":"\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_malformed(payload: bytes, value: dict[str, Any] | None) -> None:
    assert value_of(payload) == value


def test_the_last_event() -> None:
    assert is_done(payload_of(b"data: [DONE]\n\n"))
    assert is_done(payload_of(b"data:[DONE] \r\n\r\n"))
    assert not is_done(payload_of(b"data: {}\n\n"))


@pytest.mark.parametrize(
    ("error", "final"),
    [
        ({"code": "context_length_exceeded"}, True),
        ({"code": "content_policy_violation"}, True),
        ({"type": "invalid_request_error"}, True),
        ({"code": 400, "type": "BadRequestError"}, True),
        ({"code": 429}, False),
        ({"code": 500, "type": "invalid_request_error"}, False),
        ({"type": "server_error", "code": None}, False),
        ("out of memory", False),
    ],
)
def test_whose_fault_an_error_is(error: Any, final: bool) -> None:
    assert is_final(error) is final


def test_an_event_is_written_as_it_is_read() -> None:
    assert value_of(payload_of(encoded({"a": "\u00e9\n"}))) == {"a": "\u00e9\n"}
