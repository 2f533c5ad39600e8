"""Server-sent events: the format's rules one by one, and encoding."""

import pytest

from nexus.contract.sse import DONE, Event, SseParser, SseTooLargeError, encode, whole_events


def events(*pieces: bytes) -> list[Event]:
    parser = SseParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return found + parser.close()


def test_an_event_is_dispatched_by_its_empty_line() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\n") == [Event(b"a")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_counts(end: bytes) -> None:
    assert events(b"data: a" + end + b"data: b" + end + end) == [Event(b"a\nb")]


def test_cr_lf_cut_between_its_bytes_is_one_line_ending() -> None:
    assert events(b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n") == [Event(b"a"), Event(b"b")]


def test_fields() -> None:
    assert events(b": a comment\nevent: delta\nid: 7\nretry: 15\nunknown: x\ndata:  two spaces\ndata\n\n") == [
        Event(b" two spaces\n", event="delta", id="7", retry=15)
    ]


@pytest.mark.parametrize("field", [b"retry: soon", b"id: a\0b"])
def test_malformed_fields_are_passed_over(field: bytes) -> None:
    assert events(field + b"\ndata: a\n\n") == [Event(b"a")]


def test_an_event_without_data_is_none() -> None:
    assert events(b"event: ping\n\n: keepalive\n\ndata: a\n\n") == [Event(b"a")]


def test_what_is_left_after_the_last_empty_line_is_dropped() -> None:
    assert events(b"data: a\n\ndata: b\n") == [Event(b"a")]


def test_a_byte_order_mark_is_skipped_even_when_cut() -> None:
    assert events(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == [Event(b"a")]
    assert events(b"\xef\xbbdata: a\n\ndata: b\n\n") == [Event(b"b")]  # no mark: part of the first field's name


def test_a_final_lone_cr_completes_its_event() -> None:
    assert events(b"data: a\r\r") == [Event(b"a")]


def test_an_event_over_the_limit_is_refused() -> None:
    parser = SseParser(limit=16)
    assert parser.feed(b"data: 12345\n\n") == [Event(b"12345")]
    with pytest.raises(SseTooLargeError, match="16 bytes"):
        parser.feed(b"data: 123456789012")


def test_many_small_lines_count_towards_the_limit() -> None:
    parser = SseParser(limit=64)
    for _ in range(9):
        parser.feed(b"data: x\n")
    with pytest.raises(SseTooLargeError):
        parser.feed(b"data: x\n")


def test_encode() -> None:
    assert encode(b'{"a":1}') == b'data: {"a":1}\n\n'
    assert encode(b"a\nb\r\nc", "delta") == b"event: delta\ndata: a\ndata: b\ndata: c\n\n"
    assert encode(DONE) == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("buffer", "length"),
    [(b"", 0), (b"data: a\n", 0), (b"data: a\n\n", 9), (b"data: a\n\ndata", 9), (b"data: a\r\n\r\nx", 11),
     (b"data: a\r\rx", 9), (b"data: a\r\n\r\ndata: b\n\nx", 20)],
)  # fmt: skip
def test_whole_events(buffer: bytes, length: int) -> None:
    assert whole_events(buffer) == length
