"""Heads that are known again by their bytes."""

import pytest

from nexus.gateway.recall import LARGEST, Known, remember

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nContent-Length: %d\r\naccept: */*\r\n\r\n"


def message(body: bytes) -> bytes:
    return HEAD % len(body) + body


@pytest.fixture
def known() -> Known[str]:
    result = remember(message(b"hello"), 5, "what it means")
    assert result is not None
    return result


@pytest.mark.parametrize("body", [b"", b"hello", b"a longer body", b"\r\n\r\n", b"5\r\naccept: */*\r\n\r\n"])
def test_the_same_head_with_any_length(known: Known[str], body: bytes) -> None:
    assert known.body_of(message(body)) == body
    assert known.meaning == "what it means"


@pytest.mark.parametrize(
    "data",
    [
        message(b"hello")[:-1],
        message(b"hello") + b"!",
        message(b"hello") + message(b"hello"),
        message(b"hello").replace(b"accept", b"Accept"),
        message(b"hello").replace(b": 5", b": 05"),
        message(b"hello").replace(b": 5", b": +5"),
        message(b"hello").replace(b": 5", b": 5 "),
        message(b"hello").replace(b"host: x", b"host: y"),
        message(b"")[:-4],
        HEAD.partition(b"%d")[0] + b"0",
        HEAD.partition(b"%d")[0] + b"9" * 5000,
        b"",
    ],
)
def test_anything_else_is_not_known(known: Known[str], data: bytes) -> None:
    assert known.body_of(data) is None


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (message(b"hello") + message(b"hi"), 2),  # two in one read
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 5),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", 0),
        (b"HTTP/1.1 103 Hints\r\ncontent-length: 43\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 5),
        (b"\r\n\r\n" + message(b"hello"), 5),
        (b"POST / HTTP/1.1\r\nx: " + b"y" * LARGEST + b"\r\ncontent-length: 5\r\n\r\nhello", 5),
        (message(b"hello").replace(b": 5", b": 05"), 5),
    ],
)
def test_what_is_not_one_message_with_its_length_is_not_remembered(data: bytes, size: int) -> None:
    assert remember(data, size, "meaning") is None
