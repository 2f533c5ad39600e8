"""Commands and replies in bytes, in whatever pieces they come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.resp import BrokenReplyError, Replies, Reply, bulk, command

STREAM = b"+OK\r\n:-7\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*3\r\n:1\r\n$0\r\n\r\n*1\r\n+x\r\n-NOSCRIPT no such\r\n:9\r\n"
SAID: list[Reply] = [b"OK", -7, b"a\r\nbc", None, None, [1, b"", [b"x"]], "NOSCRIPT no such", 9]


def told(replies: list[Reply]) -> list[object]:
    return [str(one) if isinstance(one, RedisError) else one for one in replies]


def test_a_command() -> None:
    assert command("GET", b"\x00", 12) == b"*3\r\n$3\r\nGET\r\n$1\r\n\x00\r\n$2\r\n12\r\n"
    assert bulk("é") == b"$2\r\n\xc3\xa9\r\n"


@given(st.sets(st.integers(0, len(STREAM))))
def test_replies_are_the_same_in_any_pieces(cuts: set[int]) -> None:
    replies, found = Replies(), list[Reply]()
    edges = [0, *sorted(cuts), len(STREAM)]
    for begin, end in pairwise(edges):
        found += replies.take(STREAM[begin:end])
    assert told(found) == SAID


@pytest.mark.parametrize("data", [b"HTTP/1.1 400\r\n", b":x\r\n", b"$a\r\n", b"*1\r\n?\r\n"])
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(BrokenReplyError):
        list(Replies().take(data))


def test_a_reply_without_end() -> None:
    replies = Replies()
    for _ in range(10):
        assert not list(replies.take(b"x" * 100_000))
    with pytest.raises(BrokenReplyError, match="too long"):
        list(replies.take(b"x" * 100_000))
