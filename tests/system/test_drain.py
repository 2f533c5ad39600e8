"""SIGTERM: not ready, then nothing new; what runs has its time, and is told when that is over; the status is 0."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import ClosedError, RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"


@pytest.fixture
def start(tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Callable[..., Gateway]]:
    """Start the gateway that a test ends itself; killed at the end, if it still runs."""
    started: list[Gateway] = []

    def begin(**env: str) -> Gateway:
        gateway = Gateway(tmp_path, [upstream.url], env)
        started.append(gateway)
        gateway.__enter__()
        gateway.wait_for_state(upstream.url, "ready")
        return gateway

    yield begin
    for gateway in started:
        gateway.process.kill()
        gateway.process.wait()


def refuses(port: int) -> bool:
    """Whether it takes no connections; one that it takes, it answers on."""
    try:
        client = RawClient(port)
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    with client:
        client.send(request("/health"))
        assert client.answer().status == 200
    return False


def test_it_serves_on_while_it_is_not_ready_any_more(start: Callable[..., Gateway]) -> None:
    gateway = start(NEXUS_DRAIN_NOTICE="2")
    with RawClient(gateway.port) as kept:
        question = request(CHAT, chat_body(), token=TOKEN)
        for _ in range(2):
            kept.send(question)
            assert kept.answer().header("connection") is None
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.get("/readyz").status == 503)
        assert gateway.get("/readyz").json()["status"] == "draining"
        kept.send(question)
        answer = kept.answer()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert kept.closed()
    assert gateway.chat().status == 200
    wait_until(lambda: refuses(gateway.port))
    assert gateway.process.wait(10) == 0


@pytest.mark.parametrize("stream", [False, True])
def test_what_takes_too_long_is_told_that_the_gateway_ends(
    start: Callable[..., Gateway], upstream: ScriptedUpstream, stream: bool
) -> None:
    gateway = start(NEXUS_DRAIN_SECONDS="0.5")
    script = {"kind": "sse", "tokens": 2, "end": "hang"} if stream else {"kind": "hang"}
    with RawClient(gateway.port) as client:
        headers = {"x-request-id": "too-long"}
        client.send(request(CHAT, chat_body(script, stream=stream), token=TOKEN, headers=headers))
        seen = upstream.wait_for_request()
        if stream:
            client.read_head()
            assert b"chat.completion.chunk" in client.chunk()
        gateway.process.send_signal(signal.SIGTERM)
        if stream:
            rest = client.rest()
            assert rest.count(b"shutting down") == 1
            assert b"[DONE]" not in rest
        else:
            answer = client.answer()
            assert (answer.status, answer.error["code"], answer.header("retry-after")) == (503, "overloaded", "1")
            with pytest.raises(ClosedError):
                client.answer()
    assert gateway.process.wait(10) == 0
    upstream.wait_for(lambda: seen.left_at, 1.0)
    assert gateway.request_line("too-long")["error"] == "overloaded"
