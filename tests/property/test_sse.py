"""Whatever way a stream is cut, the same events come out; whole events are never split."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nexus.contract.sse import Event, SseParser, SseTooLargeError, encode, whole_events

DATA = st.one_of(st.binary(max_size=30), st.sampled_from([b"[DONE]", b'{"a": 1}', b"\n", b"a\r\nb\rc", b": x", b""]))
NAME = st.one_of(st.none(), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8))
ENDING = st.sampled_from([b"\n", b"\r\n", b"\r"])
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Encoded events and comments, all lines of an event ended in one of the three ways."""
    pieces = []
    for data, name, ending in draw(st.lists(st.tuples(DATA, NAME, ENDING), max_size=6)):
        piece = encode(data.replace(b"\xef\xbb\xbf", b""), name)
        if draw(st.booleans()):
            piece = b": keepalive\n\n" + piece
        pieces.append(piece.replace(b"\n", ending))
    return b"".join(pieces)


def parsed(pieces: list[bytes]) -> list[Event]:
    parser = SseParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return found + parser.close()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(streams(), CUTS)
def test_any_cut_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    assert parsed(cut(stream, places)) == parsed([stream])


@given(streams())
def test_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    assert parsed([stream[at : at + 1] for at in range(len(stream))]) == parsed([stream])


@given(st.binary(max_size=200), CUTS)
def test_arbitrary_bytes_are_cut_alike_too(stream: bytes, places: list[int]) -> None:
    assert parsed(cut(stream, places)) == parsed([stream])


@given(st.lists(st.tuples(DATA, NAME), max_size=6))
def test_what_was_encoded_comes_back(sent: list[tuple[bytes, str | None]]) -> None:
    stream = b"".join(encode(data, name) for data, name in sent)
    lines = [b"\n".join(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")) for data, _ in sent]
    assert parsed([stream]) == [Event(data, name or "") for data, (_, name) in zip(lines, sent, strict=True)]


@given(streams(), CUTS)
def test_whole_events_never_splits_an_event(stream: bytes, places: list[int]) -> None:
    for place in places:
        buffer = stream[:place]
        length = whole_events(buffer)
        assert 0 <= length <= len(buffer)
        assert parsed([stream[:length]]) + parsed([stream[length:]]) == parsed([stream])


@given(streams())
def test_a_whole_stream_of_line_feeds_is_all_whole_events(stream: bytes) -> None:
    plain = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert whole_events(plain) == len(plain)


@given(st.binary(max_size=300), st.integers(min_value=1, max_value=64))
def test_a_bounded_parser_raises_only_its_own_error_and_holds_no_more_than_its_bound(stream: bytes, limit: int) -> None:
    parser = SseParser(limit)
    try:
        events = parser.feed(stream) + parser.close()
    except SseTooLargeError:
        return
    assert all(len(event.data) <= len(stream) for event in events)
