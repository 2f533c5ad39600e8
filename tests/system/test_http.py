"""HTTP/1.1 as a careful server speaks it: pipelining, Expect, chunked bodies, HTTP/1.0, HEAD, absolute targets."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.chat import BODY, CHAT, LENGTH, chunked, good, with_lines
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import RawClient, fetch, request
from tests.servers.scripted import ScriptedUpstream


def test_pipelined_requests_are_answered_in_order(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    """Lane, control plane, errors and a stream on one connection; the first is answered last by its service."""
    requests = [
        request(CHAT, chat_body({"kind": "json", "gate": "pipelined", "body": {"turn": 0}}), token=TOKEN),
        request("/health"),
        request(CHAT, b"{not json", token=TOKEN),
        request("/v1/models/none", token=TOKEN),
        request(CHAT, chat_body({"kind": "sse", "tokens": 2}, stream=True), token=TOKEN),
        request(CHAT, chat_body({"kind": "json", "body": {"turn": 5}}), token=TOKEN),
        request("/v1/services", token=TOKEN),
    ]
    with RawClient(gateway.port) as client:
        client.send(b"".join(requests))
        upstream.wait_for_request()
        upstream.open("pipelined")
        answers = [client.answer() for _ in requests]
    assert [answer.status for answer in answers] == [200, 200, 400, 404, 200, 200, 200]
    assert answers[0].json() == {"turn": 0}
    assert answers[1].json() == {"status": "ok"}
    assert answers[4].body.endswith(b"data: [DONE]\n\n")
    assert answers[5].json() == {"turn": 5}
    assert answers[6].json()["object"] == "list"


def test_very_many_pipelined_requests_are_all_answered(gateway: Gateway) -> None:
    count = 200
    with RawClient(gateway.port) as client, ThreadPoolExecutor(1) as sender:
        sent = sender.submit(client.send, b"".join(request("/health") + good() for _ in range(count)))
        assert [client.answer().status for _ in range(2 * count)] == [200] * (2 * count)
        sent.result()


def test_a_request_that_is_refused_before_its_body_breaks_off_gets_one_answer(gateway: Gateway) -> None:
    """Its turn comes once it is known that the rest of the connection makes no sense."""
    refused = request(CHAT, method="POST", headers={"transfer-encoding": "chunked"}, token="wrong")
    with RawClient(gateway.port) as client:
        client.send(request("/health") + refused + b"no size\r\n")
        assert [client.answer().status for _ in range(2)] == [200, 401]
        assert client.rest() == b""
    assert not [line for line in gateway.log_lines() if line["event"] == "request_failed"]


def test_one_connection_serves_many_requests(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        for _ in range(3):
            for data in (good(), request("/health"), request("/v1/nothing", token=TOKEN), request(CHAT, BODY)):
                client.send(data)
                assert client.answer().status in (200, 404, 401)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_requests_may_come_in_any_pieces(gateway: Gateway, upstream: ScriptedUpstream, size: int) -> None:
    data = chunked(BODY[:10], BODY[10:])
    with RawClient(gateway.port) as client:
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
        assert client.answer().status == 200
    assert upstream.seen[0].body == BODY


def test_connection_close_is_honoured(gateway: Gateway) -> None:
    for data in (good(headers={"connection": "close"}), request("/health", headers={"connection": "close"})):
        with RawClient(gateway.port) as client:
            client.send(data)
            answer = client.answer()
            assert (answer.status, answer.header("connection")) == (200, "close")
            assert client.closed()


def test_expect_continue_is_told_to_go_on(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        client.send(with_lines(b"expect: 100-continue", LENGTH, body=b""))
        status, headers = client.read_head()
        assert (status, headers) == (100, ())
        assert not upstream.seen
        client.send(BODY)
        assert client.answer().status == 200
    assert upstream.seen[0].header("expect") is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(
            request(CHAT, b"", headers={"expect": "100-continue", "content-length": "500"}), 401, id="no-token"
        ),
        pytest.param(
            with_lines(b"expect: 100-continue", b"content-length: 999999999999", body=b""), 413, id="too-large"
        ),
        pytest.param(
            with_lines(b"expect: 100-continue", LENGTH, body=b"").replace(b"POST", b"PUT", 1), 405, id="wrong-method"
        ),
    ],
)
def test_expect_continue_is_refused_before_the_body(gateway: Gateway, data: bytes, status: int) -> None:
    with RawClient(gateway.port) as client:
        client.send(data)
        answer = client.answer()
        assert (answer.status, answer.interim) == (status, ())
        assert answer.header("connection") == "close"
        client.finish_sending()
        assert client.closed()


@pytest.mark.parametrize(("keep_alive", "header"), [(False, {}), (True, {"connection": "keep-alive"})])
def test_http_1_0(gateway: Gateway, keep_alive: bool, header: dict[str, str]) -> None:
    for path, body in ((CHAT, BODY), ("/health", None)):
        with RawClient(gateway.port) as client:
            client.send(request(path, body, token=TOKEN, version="1.0", headers=header))
            answer = client.answer()
            assert answer.status == 200
            assert answer.header("transfer-encoding") is None
            assert keep_alive or answer.header("connection") != "keep-alive"
            assert not keep_alive or path != CHAT or answer.header("connection") == "keep-alive"
            if answer.header("connection") == "keep-alive":
                client.send(request(path, body, token=TOKEN, version="1.0"))
                assert client.answer().status == 200
            assert client.closed()


def test_http_1_0_gets_a_stream_that_ends_with_its_connection(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        client.send(request(CHAT, chat_body(stream=True), token=TOKEN, version="1.0"))
        answer = client.answer()
    assert answer.header("transfer-encoding") is None
    assert answer.header("content-length") is None
    assert answer.body.startswith(b"data: {")
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_chunked_requests_reach_the_service_whole(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        for _ in range(2):
            client.send(chunked(BODY[:1], BODY[1:20], BODY[20:]))
            assert client.answer().status == 200
    assert [seen.body for seen in upstream.seen] == [BODY, BODY]
    assert upstream.seen[0].header("content-length") == str(len(BODY))
    assert upstream.seen[0].header("transfer-encoding") is None


def test_chunk_extensions_and_trailers_are_ignored(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    data = with_lines(b"transfer-encoding: chunked", body=b"%x;a=b\r\n%b\r\n0\r\nx-t: 1\r\n\r\n" % (len(BODY), BODY))
    with RawClient(gateway.port) as client:
        client.send(data + request("/health"))
        assert client.answer().status == 200
        assert client.answer().json() == {"status": "ok"}
    assert upstream.seen[0].body == BODY
    assert upstream.seen[0].header("x-t") is None


def test_absolute_form_is_the_same_path(gateway: Gateway) -> None:
    assert gateway.post("http://nexus.test/v1/chat/completions?a=b", chat_body()).status == 200
    assert gateway.get("http://nexus.test/v1/models").json()["object"] == "list"
    with RawClient(gateway.port) as client:
        client.send(b"CONNECT example.test:443 HTTP/1.1\r\nhost: example.test:443\r\n\r\n")
        assert client.answer().status in (400, 404, 405)


def test_head_answers_have_no_body(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        for path, status in (("/health", 200), ("/v1/nothing", 404), (CHAT, 405), ("/v1/models", 200)):
            client.send(request(path, method="HEAD", token=TOKEN))
            assert client.answer(head_only=True).status == status, path


def test_options_is_answered(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        for path in (CHAT, "/v1/models"):
            client.send(request(path, method="OPTIONS", token=TOKEN))
            assert client.answer().status in (200, 204, 405)


def test_upgrades_are_not_followed(gateway: Gateway) -> None:
    for protocol in ("websocket", "h2c"):
        with RawClient(gateway.port) as client:
            client.send(good(headers={"connection": "upgrade", "upgrade": protocol}))
            assert client.answer().status == 200


def test_a_sane_request_id_is_kept_and_others_are_replaced(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    for path, body in ((CHAT, chat_body()), ("/health", None)):
        kept = fetch(gateway.port, path, body, token=TOKEN, headers={"x-request-id": "abc-1.2_3"})
        assert kept.header("x-request-id") == "abc-1.2_3"
        for insane in ("a b", "x" * 500, "a;b"):
            made = fetch(gateway.port, path, body, token=TOKEN, headers={"x-request-id": insane})
            assert made.header("x-request-id") not in (insane, None)
    assert upstream.seen[0].header("x-request-id") == "abc-1.2_3"


def test_hop_by_hop_fields_and_the_token_stay_here(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    sent = {"connection": "x-private", "x-private": "1", "te": "trailers", "keep-alive": "timeout=5", "cookie": "a=b"}
    assert gateway.post(CHAT, chat_body(), headers={**sent, "x-kept": "yes"}).status == 200
    seen = upstream.seen[0]
    assert seen.header("x-kept") == "yes"
    for name in ("authorization", "x-private", "te", "keep-alive", "cookie"):
        assert seen.header(name) is None, name
    assert TOKEN not in str(seen.headers)


def test_an_answer_that_came_whole_ends_the_wait_at_once(gateway: Gateway) -> None:
    """An empty chunked body, a body of no bytes: neither may hang."""
    with RawClient(gateway.port, timeout=5) as client:
        client.send(with_lines(b"transfer-encoding: chunked", body=b"0\r\n\r\n"))
        assert client.answer().status == 400
        client.send(with_lines(b"content-length: 0", body=b""))
        assert client.answer().status == 400
        client.send(with_lines(body=b""))
        assert client.answer().status == 400
