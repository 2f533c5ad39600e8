"""Whatever bytes a client sends, it gets well-formed HTTP or a closed connection, and the next one is served."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import ClosedError, RawClient, fetch, request
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
ERRORS = (400, 401, 404, 405, 408, 411, 413, 414, 415, 417, 431, 501, 505)

VALID = (
    request(CHAT, chat_body(), token=TOKEN),
    request(CHAT, chat_body(stream=True), token=TOKEN),
    request("/v1/models", token=TOKEN),
    request("/health"),
    request(CHAT, b"", token=TOKEN, headers={"content-length": "", "transfer-encoding": "chunked"})
    + b'16\r\n{"model": "scripted", \r\n0f\r\n"messages": []}\r\n0\r\n\r\n',
)
WORDS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"0\r\n\r\n", b"\xff", b"%00", b"chunked"),
    *(
        b"content-length: 5\r\n",
        b"content-length: 0\r\n",
        b"transfer-encoding: chunked\r\n",
        b"expect: 100-continue\r\n",
    ),
    *(
        b"connection: close\r\n",
        b"upgrade: h2c\r\n",
        b"HTTP/1.0",
        b"HTTP/0.9",
        b"GET ",
        b"CONNECT ",
        b"http://",
    ),
)

arbitrary = st.binary(max_size=2000)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """One or more valid requests with some bytes replaced, removed, doubled or put in."""
    data = b"".join(draw(st.lists(st.sampled_from(VALID), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        put = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8), st.just(data[start:end] * 2)))
        data = data[:start] + put + data[end:]
    return data


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    patient = {"NEXUS_HEALTH_INTERVAL": "30"}  # on a busy machine a probe may be late, and nobody would be there to ask
    folder = tmp_path_factory.mktemp("gateway")
    with ScriptedUpstream() as upstream, Gateway(folder, [upstream.url], env=patient) as gateway:
        gateway.wait_for_state(upstream.url, "ready", within=30)
        yield gateway


def holds(gateway: Gateway, data: bytes, cut: int) -> None:
    """Send `data` in two pieces and nothing more, and read what comes, strictly, until the gateway closes."""
    with RawClient(gateway.port, timeout=15) as client, contextlib.suppress(ClosedError):
        with contextlib.suppress(OSError):  # it may close before it has read everything
            client.send(data[:cut])
            client.send(data[cut:])
            client.finish_sending()
        while True:
            answer = client.answer()
            assert 200 <= answer.status < 300 or answer.status in ERRORS, answer
            if answer.status >= 400:
                assert answer.error["message"]
    assert gateway.process.poll() is None
    assert fetch(gateway.port, "/health").status == 200


FUZZ = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(data=arbitrary, cut=st.integers(0, 2000))
def test_arbitrary_bytes(gateway: Gateway, data: bytes, cut: int) -> None:
    holds(gateway, data, cut)


@FUZZ
@given(data=mutated(), cut=st.integers(0, 2000))
def test_mutated_requests(gateway: Gateway, data: bytes, cut: int) -> None:
    holds(gateway, data, cut)


@FUZZ
@given(head=st.binary(max_size=400), body=st.binary(max_size=400))
def test_arbitrary_header_lines_and_bodies(gateway: Gateway, head: bytes, body: bytes) -> None:
    start = b"POST %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n" % (CHAT.encode(), TOKEN.encode())
    holds(gateway, start + head + b"\r\n\r\n" + body, len(start))


def test_after_all_that_it_answers_and_holds_nothing(gateway: Gateway) -> None:
    assert gateway.chat().status == 200
    gateway.wait_until_idle()
