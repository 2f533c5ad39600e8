"""Bad and hostile HTTP at the client's side: the right status each time, and the process stays up."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.servers.chat import BODY, CHAT, LENGTH, chunked, good, with_lines
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import ClosedError, RawClient, fetch, request
from tests.servers.scripted import ScriptedUpstream

HEAD_SECONDS = 1.0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(with_lines(LENGTH, b"transfer-encoding: chunked", body=b"0\r\n\r\n"), id="length-and-chunked"),
        pytest.param(with_lines(b"transfer-encoding: chunked", LENGTH, body=b"0\r\n\r\n"), id="chunked-and-length"),
        pytest.param(with_lines(LENGTH, b"content-length: 5"), id="two-lengths"),
        pytest.param(with_lines(b"content-length: 5, 6"), id="two-lengths-in-one"),
        pytest.param(with_lines(b"content-length: -5"), id="negative-length"),
        pytest.param(with_lines(b"content-length: +5"), id="signed-length"),
        pytest.param(with_lines(b"content-length: 0x10"), id="hexadecimal-length"),
        pytest.param(with_lines(b"content-length: 99999999999999999999999"), id="length-past-64-bits"),
        pytest.param(with_lines(b"transfer-encoding: chunked", body=b"zz\r\nabc\r\n0\r\n\r\n"), id="bad-chunk-size"),
        pytest.param(with_lines(b"transfer-encoding: chunked", body=b"-1\r\n\r\n0\r\n\r\n"), id="negative-chunk"),
        pytest.param(with_lines(b"transfer-encoding: chunked", body=b"3\r\nabcdef\r\n0\r\n\r\n"), id="chunk-too-long"),
        pytest.param(
            with_lines(b"transfer-encoding: chunked", body=b"f" * 32 + b"\r\nabc\r\n0\r\n\r\n"), id="chunk-past-64-bits"
        ),
        pytest.param(with_lines(b"transfer-encoding: xchunked"), id="unknown-transfer-encoding"),
        pytest.param(with_lines(b"transfer-encoding: chunked, identity"), id="chunked-not-last"),
        pytest.param(with_lines(b"content-length : 5"), id="space-before-colon"),
        pytest.param(with_lines(LENGTH, b" folded: yes"), id="folded-header"),
        pytest.param(with_lines(LENGTH, b"no colon at all"), id="no-colon"),
        pytest.param(with_lines(LENGTH, b"x-nul: a\0b"), id="nul-in-value"),
        pytest.param(with_lines(LENGTH, b"x-na\0me: b"), id="nul-in-name"),
        pytest.param(with_lines(LENGTH, b"x-bell: a\x07b"), id="control-in-value"),
        pytest.param(with_lines(LENGTH, b"x-cr: a\rb: c"), id="bare-cr-in-value"),
        pytest.param(with_lines(LENGTH, path=b"/v1/chat\0/completions"), id="nul-in-path"),
        pytest.param(b"GET /v1/models\r\nhost: x\r\n\r\n", id="no-version"),
        pytest.param(b"GET /v1/models HTTP/3.7\r\nhost: x\r\n\r\n", id="unknown-version"),
        pytest.param(b"GET v1/models HTTP/1.1\r\nhost: x\r\n\r\n", id="path-without-slash"),
        pytest.param(b"FROBNICATE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", id="unknown-method"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http2-preface"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x5a" * 200, id="tls-client-hello"),
        pytest.param(b"\0" * 300, id="nothing-but-nul"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
    ],
)
def test_what_is_not_http_is_400_and_ends_the_connection(
    gateway: Gateway, upstream: ScriptedUpstream, data: bytes
) -> None:
    with RawClient(gateway.port) as client:
        client.send(data)
        answer = client.answer()
        assert answer.status == 400, answer
        assert answer.error["code"] == "invalid_request_error"
        assert answer.header("connection") == "close"
        client.finish_sending()
        assert client.closed()
    assert not upstream.seen


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"POST %b HTTP/1.1\r\ncontent-length: 0\r\n\r\n" % CHAT.encode(), id="none-for-the-lane"),
        pytest.param(b"GET /health HTTP/1.1\r\n\r\n", id="none"),
        pytest.param(with_lines(LENGTH, b"host: other.test"), id="two-for-the-lane"),
        pytest.param(b"GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", id="two"),
    ],
)
def test_one_host_is_needed(gateway: Gateway, upstream: ScriptedUpstream, data: bytes) -> None:
    """RFC 9112, 3.2: a request with none or several is answered 400."""
    with RawClient(gateway.port) as client:
        client.send(data)
        assert client.answer().status == 400
    assert not upstream.seen


def test_smuggled_requests_reach_nobody(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    inner = good()
    with RawClient(gateway.port) as client:
        client.send(
            with_lines(b"content-length: %d" % (5 + len(inner)), b"transfer-encoding: chunked", body=b"0\r\n\r\n")
            + inner
        )
        assert client.answer().status == 400
        assert client.rest() == b""
    assert not upstream.seen


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"x-large: " + b"a" * 100_000], id="one-large-header"),
        pytest.param([b"x-%d: b" % number for number in range(20_000)], id="very-many-headers"),
    ],
)
@pytest.mark.parametrize("path", [CHAT.encode(), b"/v1/models"])
def test_heads_past_the_limit_are_431(gateway: Gateway, lines: list[bytes], path: bytes) -> None:
    with RawClient(gateway.port) as client:
        client.send(with_lines(*lines, LENGTH, path=path)[:80_000])
        answer = client.answer()
    assert (answer.status, answer.error["code"]) == (431, "headers_too_large")


def test_a_large_url_is_431(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        client.send(b"GET /" + b"a" * 100_000)
        assert client.answer().status == 431


def test_a_large_head_within_the_limit_is_fine(gateway: Gateway) -> None:
    assert gateway.post(CHAT, chat_body(), headers={"x-large": "a" * 30_000}).status == 200


def test_slow_heads_are_cut_while_others_are_served(start_gateway: Callable[..., Gateway], stack: ExitStack) -> None:
    """Byte by byte, silent, stopped, and begun behind another request."""
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, env={"NEXUS_HEAD_TIMEOUT": str(HEAD_SECONDS)})

    def byte_by_byte() -> int:
        with RawClient(gateway.port, timeout=HEAD_SECONDS + 5) as client, ThreadPoolExecutor(1) as reader:
            answer = reader.submit(client.answer)
            client.send(b"POST /v1/chat/completions HTTP/1.1\r\n")
            while not answer.done():
                client.send(b"x-a: b\r\n")
                gateway.get("/health")
            return answer.result().status

    def half() -> int:
        with RawClient(gateway.port, timeout=HEAD_SECONDS + 5) as client:
            client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
            return client.answer().status

    def half_behind_a_request() -> int:
        with RawClient(gateway.port, timeout=HEAD_SECONDS + 5) as client:
            client.send(good() + b"POST /v1/chat/compl")
            assert client.answer().status == 200
            return client.answer().status

    def silent() -> bool:
        with RawClient(gateway.port, timeout=HEAD_SECONDS + 5) as client:
            return client.closed()

    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        cut = [pool.submit(slow) for slow in (byte_by_byte, half, half_behind_a_request)]
        closed = pool.submit(silent)
        assert gateway.chat().status == 200
        assert [one.result() for one in cut] == [408, 408, 408]
        assert closed.result()
    assert HEAD_SECONDS <= time.monotonic() - began < HEAD_SECONDS + 3


def test_garbage_behind_a_good_request_waits_its_turn(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        client.send(good() + b"\x00garbage\r\n\r\n")
        assert client.answer().status == 200
        assert client.answer().status == 400
        client.finish_sending()
        assert client.closed()


def test_what_follows_a_refused_request_is_not_read(gateway: Gateway) -> None:
    """It is refused at its head, and the rest is not waited for, however wrong it is."""
    head = request(CHAT, b"", headers={"content-length": "", "transfer-encoding": "chunked"})
    for rest in (b"zz\r\n", b"1\r\na\r\nzz", b"0\r\n\r\n\x00garbage\r\n\r\n"):
        with RawClient(gateway.port) as client:
            client.send(head + rest)
            assert client.answer().status == 401
            client.finish_sending()
            assert client.closed()


def test_bodies_past_the_limit_are_413(start_gateway: Callable[..., Gateway], stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, env={"NEXUS_MAX_REQUEST_BYTES": "10000"})
    with RawClient(gateway.port) as client:
        client.send(with_lines(b"content-length: 10001", body=b"x" * 10_001))
        assert client.answer().error["code"] == "request_too_large"
    with RawClient(gateway.port) as client:
        client.send(with_lines(b"content-length: 5000000000", body=b"x" * 1000))
        assert client.answer().status == 413
    with RawClient(gateway.port) as client:
        client.send(chunked(*[b"y" * 1000] * 20))
        assert client.answer().status == 413
    with RawClient(gateway.port) as client:
        client.send(chunked(b"y" * 1000)[:-5] + b"ffffffff\r\n" + b"y" * 20_000)
        assert client.answer().status == 413
    assert not upstream.seen
    padded = json.dumps(chat_body(user="u" * 9000)).encode()
    assert gateway.post(CHAT, padded).status == 200
    assert fetch(gateway.port, CHAT, padded[:9000] + b" " * 1000, token=TOKEN).status == 400


def test_a_client_that_sends_a_large_body_sees_why_it_was_refused(gateway: Gateway) -> None:
    """It may write for long before it reads: the answer must not be lost to a reset."""
    with RawClient(gateway.port) as client:
        client.send(request(CHAT, b"x" * 3_000_000, headers={"authorization": "Bearer wrong"}))
        assert client.answer().status == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{not json", None),
        (b"", None),
        (b"[1, 2]", None),
        (b'"text"', None),
        (b'{"model": 5}', "model"),
        (b'{"messages": []}', "model"),
        (b'{"model": ""}', "model"),
        (b'{"model": "scripted", "stream": "perhaps"}', "stream"),
        (b'{"model": "\xff\xfe"}', None),
        (b"[" * 100_000, None),
        (b'{"model": "scripted"} trailing', None),
    ],
)
def test_bad_json_is_400_in_the_envelope(
    gateway: Gateway, upstream: ScriptedUpstream, body: bytes, param: str | None
) -> None:
    answer = gateway.post(CHAT, body)
    assert answer.status == 400, answer
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["param"] == param
    assert not upstream.seen


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_wrong_content_type_is_415(gateway: Gateway, content_type: str) -> None:
    answer = gateway.post(CHAT, BODY, headers={"content-type": content_type})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_of_its_names_is_fine(gateway: Gateway, content_type: str) -> None:
    assert gateway.post(CHAT, BODY, headers={"content-type": content_type}).status == 200


@pytest.mark.parametrize("path", ["/v1/nothing", "/", "/v1/chat/completions/", "//v1/chat/completions", "/v1/../etc"])
def test_unknown_paths_are_404(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path)
    assert (answer.status, answer.error["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", CHAT, "POST"), ("PUT", CHAT, "POST"), ("DELETE", "/v1/models", "GET"), ("POST", "/health", "GET")],
)
def test_wrong_methods_are_405_and_say_what_is_allowed(gateway: Gateway, method: str, path: str, allow: str) -> None:
    answer = gateway.get(path, method=method)
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
    assert allow in (answer.header("allow") or "")


def test_a_client_that_sends_and_is_gone_leaves_nothing(gateway: Gateway) -> None:
    for data in (b"", b"POST", good()[:60], good()[:-5], chunked(BODY)[:-4], good()):
        with RawClient(gateway.port) as client:
            client.send(data)
    gateway.wait_until_idle()


def test_closing_in_the_middle_of_an_answer_is_seen_as_such() -> None:
    """The client used here tells a closed connection from an answer: else half of these tests would prove nothing."""
    with ScriptedUpstream() as upstream, RawClient(upstream.port) as client:
        client.send(request(CHAT, chat_body({"kind": "short"})))
        with pytest.raises(ClosedError):
            client.answer()
