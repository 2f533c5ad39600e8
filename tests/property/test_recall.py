"""A message that is known again is one that the parser accepts, and says what the parser would say."""

import httptools
from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.recall import Known, remember


class Reading:
    """What the parser makes of bytes: every message's headers and body, in order."""

    def __init__(self, data: bytes, parser: type = httptools.HttpRequestParser) -> None:
        self.messages: list[tuple[bytes, list[tuple[bytes, bytes]], bytes]] = []
        self.whole = 0
        parser(self).feed_data(data)

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", [], b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.whole += 1
        self.messages.append((self._url, self._headers, self._body))


def said(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """The one message in `data`, without its length."""
    reading = Reading(data)
    assert reading.whole == 1
    url, headers, body = reading.messages[0]
    return url, [header for header in headers if header[0].lower() != b"content-length"], body


names = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding", b"connection", b"upgrade")
)
values = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
lines = st.lists(st.tuples(names, values), max_size=5)
bodies = st.one_of(
    st.binary(max_size=200), st.just(b"\r\n\r\n"), st.just(b"7\r\n\r\n"), st.just(b"\r\ncontent-length: 1\r\n")
)
length_names = st.sampled_from((b"Content-Length", b"content-length", b"CONTENT-length"))


@st.composite
def heads(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The head of a valid request, before and after the digits of its length."""
    before, after = draw(lines), draw(lines)
    start = draw(st.sampled_from((b"", b"\r\n"))) + b"POST /v1/x HTTP/1.1\r\nHost: h\r\n"
    name = draw(length_names) + draw(st.sampled_from((b":", b": ", b":\t ")))
    head = start + b"".join(b"%b: %b\r\n" % line for line in before) + name
    return head, draw(st.sampled_from((b"\r\n", b" \r\n"))) + b"".join(b"%b: %b\r\n" % line for line in after) + b"\r\n"


def message(head: tuple[bytes, bytes], body: bytes) -> bytes:
    return head[0] + b"%d" % len(body) + head[1] + body


def known(head: tuple[bytes, bytes], body: bytes) -> Known[str]:
    result = remember(message(head, body), len(body), "meaning")
    assert result is not None
    return result


@given(heads(), bodies, bodies)
def test_the_same_head_with_any_body_is_known_again(head: tuple[bytes, bytes], first: bytes, second: bytes) -> None:
    assert known(head, first).body_of(message(head, second)) == second


@given(heads(), bodies, bodies, st.data())
def test_what_is_known_again_is_what_the_parser_reads(
    head: tuple[bytes, bytes], first: bytes, second: bytes, data: st.DataObject
) -> None:
    sent = message(head, second)
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(sent)))
        end = min(len(sent), start + data.draw(st.integers(0, 20)))
        put = data.draw(
            st.one_of(st.binary(max_size=4), st.sampled_from((b"\r\n", b"0", b"1", b" ")), st.just(sent[start:end] * 2))
        )
        sent = sent[:start] + put + sent[end:]
    body = known(head, first).body_of(sent)
    if body is not None:
        assert said(sent) == (*said(message(head, first))[:2], body)


@given(heads(), heads(), bodies, bodies)
def test_two_messages_in_one_read_are_not_remembered(
    head: tuple[bytes, bytes], other: tuple[bytes, bytes], first: bytes, second: bytes
) -> None:
    both = message(head, first) + message(other, second)
    assert remember(both, len(second), "meaning") is None
