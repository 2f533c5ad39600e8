"""Event streams in passing: whole events only, byte for byte, and an end that is told from a break."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.contract.usage import Usage
from nexus.gateway.relay.events import HELD_LIMIT, EventGate, EventTooLargeError

DONE = b"data: [DONE]\n\n"


def passed(*pieces: bytes) -> tuple[EventGate, list[bytes]]:
    gate = EventGate()
    return gate, [gate.pass_on(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("pieces", "out"),
    [
        ([b"data: 1\n\n"], [b"data: 1\n\n"]),
        ([b"data: 1", b"\n\n"], [b"", b"data: 1\n\n"]),
        ([b"data: 1\n", b"\ndata: 2"], [b"", b"data: 1\n\n"]),
        ([b"data: 1\n\ndata: 2\n\nda", b"ta: 3\n\n"], [b"data: 1\n\ndata: 2\n\n", b"data: 3\n\n"]),
        ([b"data: 1\r\n\r\n"], [b"data: 1\r\n\r\n"]),
        ([b"data: 1\r\n\r", b"\n"], [b"", b"data: 1\r\n\r\n"]),
        ([b": ping\n\n", b"\n\n"], [b": ping\n\n", b"\n\n"]),
        ([b""], [b""]),
    ],
)
def test_whole_events_pass_at_once_and_halves_are_held(pieces: list[bytes], out: list[bytes]) -> None:
    gate, given = passed(*pieces)
    assert given == out
    assert gate.whole is (b"".join(pieces) == b"".join(out))


@given(
    events=st.lists(st.binary(max_size=20).map(lambda data: b"data: " + data.replace(b"\n", b"").replace(b"\r", b""))),
    cuts=st.lists(st.integers(0, 200)),
    ending=st.sampled_from([b"\n\n", b"\r\n\r\n"]),
)
def test_any_cut_of_a_whole_stream_passes_byte_for_byte(events: list[bytes], cuts: list[int], ending: bytes) -> None:
    stream = b"".join(event + ending for event in events)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    gate, out = passed(*(stream[start:end] for start, end in pairwise(edges)))
    assert b"".join(out) == stream
    assert all(piece.endswith(ending) for piece in out if piece)
    assert gate.whole
    assert gate.rest() == b""


@pytest.mark.parametrize(
    ("pieces", "done"),
    [
        ([DONE], True),
        ([b"data: 1\n\n", DONE], True),
        ([b"data: 1\n\n" + DONE], True),
        ([b"data: [DO", b"NE]\n\n"], True),
        ([b"data: [DONE]\r\n\r\n"], True),
        ([DONE, b"data: 1\n\n"], False),
        ([b"data: 1\n\n"], False),
        ([], False),
    ],
)
def test_a_stream_is_done_when_its_last_event_says_so(pieces: list[bytes], done: bool) -> None:
    gate, _ = passed(*pieces)
    assert gate.rest() == b""
    assert gate.done is done


@pytest.mark.parametrize("pieces", [[b"data: [DONE]\n\n: bye\n\n"], [b"data: [DONE]\n\n", b": bye\n\n"]])
def test_a_comment_after_the_end_changes_nothing(pieces: list[bytes]) -> None:
    gate = EventGate(checked=True)
    assert b"".join(map(gate.pass_on, pieces)) == b"data: [DONE]\n\n: bye\n\n"
    assert gate.done
    assert not gate.fault


@pytest.mark.parametrize("held", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n"])
def test_a_closing_marker_without_its_empty_line_is_made_whole(held: bytes) -> None:
    gate, out = passed(b"data: 1\n\n" + held)
    assert out == [b"data: 1\n\n"]
    assert gate.rest() == DONE
    assert gate.whole
    assert gate.done


def test_half_an_event_is_never_let_out() -> None:
    gate, out = passed(b'data: 1\n\ndata: {"choices"')
    assert out == [b"data: 1\n\n"]
    assert gate.rest() == b""
    assert not gate.whole
    assert not gate.done


def test_white_space_at_the_end_is_no_event() -> None:
    gate, _ = passed(DONE + b"\n", b"\r\n ")
    assert gate.rest() == b""
    assert gate.whole
    assert gate.done


def test_usage_is_read_in_passing_and_the_last_one_counts() -> None:
    gate, _ = passed(
        b'data: {"usage":null}\n\n',
        b'data: {"usage":{"prompt_tokens":7,"completion_tokens":1}}\n\ndata:{"usage":{"prompt_tokens":7,"compl',
        b'etion_tokens":5}}\n\ndata: {"text":"\\"usage\\""}\n\n',
        b"data: [DONE]\n\n",
    )
    assert gate.usage == Usage(7, 5)


def test_what_only_looks_like_usage_is_none() -> None:
    gate, _ = passed(b': "usage"\n\n', b'data: "usage"\n\n', b'data: {"usage": 3}\n\n', b'event: "usage"\ndata: x\n\n')
    assert gate.usage is None


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (b'data: {"error":{"message":"x","code":"overloaded"}}\n\n', "overloaded"),
        (b'data: {"error":{"message":"x","code":null}}\n\n', "upstream_error"),
        (b'event: error\ndata: {"error":{"code":7}}\n\n', "upstream_error"),
        (b'data: {"error":{"code":"a"}}\n\ndata: {"id":1,"error":null}\n\n', ""),
        (b'data: {"error":"x"}\n\n', ""),
        (b"data: [1]\n\n", ""),
        (b'data: {"a":' * 100_000 + b"\n\n", ""),
        (b"data: [DONE]\n\n", ""),
    ],
)
def test_an_error_in_the_last_event_is_known(last: bytes, code: str) -> None:
    gate, _ = passed(last)
    assert gate.failure == code


def test_an_event_past_all_reason_is_refused() -> None:
    gate = EventGate()
    half = HELD_LIMIT // 2
    assert gate.pass_on(b"x" * half) == b""
    assert gate.pass_on(b"x" * half) == b""
    with pytest.raises(EventTooLargeError):
        gate.pass_on(b"x")


def test_events_that_passed_are_counted() -> None:
    gate = EventGate()
    for piece in (b"data: 1\n\ndata: 2\n\nda", b"ta: 3\n\n", b"data: half"):
        gate.pass_on(piece)
    assert gate.events == 3
