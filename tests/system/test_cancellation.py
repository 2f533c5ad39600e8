"""A client that leaves ends the work at its service within a second, in whatever phase it leaves."""

import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.servers.cards import card
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.listeners import full_listener
from tests.servers.raw import RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream, Seen

CHAT = "/v1/chat/completions"
SPEECH = "/v1/audio/speech"
SECONDS = 1.0


def leave_politely(client: RawClient) -> None:
    client.close()


def leave_by_reset(client: RawClient) -> None:
    client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


Leave = Callable[[RawClient], None]
LEAVINGS = pytest.mark.parametrize("leave", [leave_politely, leave_by_reset])


def ask(client: RawClient, script: dict[str, Any], path: str = CHAT, **fields: Any) -> str:
    """Send a request; returns its id."""
    identity = f"leaving-{time.monotonic_ns()}"
    client.send(request(path, chat_body(script, **fields), token=TOKEN, headers={"x-request-id": identity}))
    return identity


def leaves_and_is_noticed(
    gateway: Gateway, upstream: ScriptedUpstream, client: RawClient, leave: Leave, seen: Seen, identity: str
) -> None:
    left = time.monotonic()
    leave(client)
    assert upstream.wait_for(lambda: seen.left_at, SECONDS) - left < SECONDS
    gateway.wait_until_idle(SECONDS)
    line = gateway.request_line(identity)
    assert line["status"] == 499
    assert line["error"] == "client_closed"


@LEAVINGS
@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["plain", "stream"])
def test_before_the_head(gateway: Gateway, upstream: ScriptedUpstream, leave: Leave, fields: dict[str, Any]) -> None:
    with RawClient(gateway.port) as client:
        identity = ask(client, {"kind": "hang"}, **fields)
        seen = upstream.wait_for_request()
        leaves_and_is_noticed(gateway, upstream, client, leave, seen, identity)


@LEAVINGS
@pytest.mark.parametrize("script", [{"kind": "head_then_hang"}, {"kind": "head_then_hang", "chunked": True}])
def test_after_the_services_head(
    gateway: Gateway, upstream: ScriptedUpstream, leave: Leave, script: dict[str, Any]
) -> None:
    with RawClient(gateway.port) as client:
        identity = ask(client, script)
        seen = upstream.wait_for_request()
        upstream.wait_for(lambda: seen.bytes_sent)
        leaves_and_is_noticed(gateway, upstream, client, leave, seen, identity)


@LEAVINGS
def test_in_the_middle_of_a_plain_body(gateway: Gateway, upstream: ScriptedUpstream, leave: Leave) -> None:
    with RawClient(gateway.port) as client:
        identity = ask(client, {"kind": "head_then_hang", "first": 500, "type": "audio/wav"}, SPEECH)
        status, _ = client.read_head()
        assert status == 200
        leaves_and_is_noticed(gateway, upstream, client, leave, upstream.seen[0], identity)


@LEAVINGS
def test_in_the_middle_of_a_stream(gateway: Gateway, upstream: ScriptedUpstream, leave: Leave) -> None:
    with RawClient(gateway.port) as client:
        identity = ask(client, {"kind": "sse", "tokens": 2, "end": "hang"}, stream=True)
        client.read_head()
        assert client.chunk()
        leaves_and_is_noticed(gateway, upstream, client, leave, upstream.seen[0], identity)


@LEAVINGS
def test_while_it_reads_nothing(gateway: Gateway, upstream: ScriptedUpstream, leave: Leave) -> None:
    """Everything between service and client is full, and the gateway waits for the client to read."""
    with RawClient(gateway.port, receive_buffer=4096) as client:
        identity = ask(client, {"kind": "flood"}, stream=True)
        seen = upstream.wait_for_request()

        def stands_still() -> bool:
            before = seen.bytes_sent
            for _ in range(20):
                gateway.get("/health")
            return before > 100_000 and seen.bytes_sent == before

        wait_until(stands_still, 15)
        leaves_and_is_noticed(gateway, upstream, client, leave, seen, identity)


def test_while_connecting(start_gateway: Callable[..., Gateway], stack: ExitStack) -> None:
    port = stack.enter_context(full_listener())
    described = card() | {"backend": {"name": "engine", "base_url": f"http://127.0.0.1:{port}"}}
    upstream = stack.enter_context(ScriptedUpstream(described))
    gateway = start_gateway(upstream, config="timeouts: {connect: 30}\n")
    with RawClient(gateway.port) as client:
        identity = ask(client, {})
        wait_until(lambda: any(one["in_flight"] for one in gateway.instances()))
        client.close()
        gateway.wait_until_idle(SECONDS)
    assert gateway.request_line(identity)["status"] == 499


def test_a_service_that_takes_no_connection_in_time_is_left(
    start_gateway: Callable[..., Gateway], stack: ExitStack
) -> None:
    port = stack.enter_context(full_listener())
    described = card() | {"backend": {"name": "engine", "base_url": f"http://127.0.0.1:{port}"}}
    upstream = stack.enter_context(ScriptedUpstream(described))
    gateway = start_gateway(upstream, config="timeouts: {connect: 0.3}\n")
    answer = gateway.chat()
    assert (answer.status, answer.error["code"]) == (503, "no_ready_service")


def test_requests_that_wait_behind_another_are_never_sent(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        ask(client, {"kind": "hang"})
        ask(client, {"kind": "json", "body": {"second": True}})
        seen = upstream.wait_for_request()
        client.close()
        upstream.wait_for(lambda: seen.left_at, SECONDS)
    gateway.wait_until_idle()
    assert len(upstream.seen) == 1


def test_others_on_the_same_service_go_on(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with closing(RawClient(gateway.port)) as leaving, RawClient(gateway.port) as staying:
        ask(leaving, {"kind": "hang"})
        ask(staying, {"kind": "sse", "tokens": 3, "gate": "stay"}, stream=True)
        upstream.wait_for_request(2)
        leaving.close()
        upstream.wait_for(lambda: any(seen.left_at for seen in upstream.seen), SECONDS)
        upstream.open("stay", 3)
        assert staying.answer().body.endswith(b"data: [DONE]\n\n")


def test_an_answer_that_was_given_up_does_not_answer_the_next_request(
    gateway: Gateway, upstream: ScriptedUpstream
) -> None:
    for turn in range(5):
        with RawClient(gateway.port) as client:
            ask(client, {"kind": "slow", "gate": f"late-{turn}"})
            upstream.wait_for_request(2 * turn + 1)
        upstream.open(f"late-{turn}", 4)
        assert gateway.chat({"kind": "json", "body": {"turn": turn}}).json() == {"turn": turn}


@LEAVINGS
@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(request("/v1/models"), id="control-plane"),
        pytest.param(request("/v1/models") * 40, id="many"),
        pytest.param(b"\0garbage\r\n\r\n", id="garbage"),
    ],
)
def test_while_more_was_sent_behind_the_request(
    gateway: Gateway, upstream: ScriptedUpstream, leave: Leave, behind: bytes
) -> None:
    with RawClient(gateway.port) as client:
        identity = ask(client, {"kind": "hang"})
        seen = upstream.wait_for_request()
        client.send(behind)
        leaves_and_is_noticed(gateway, upstream, client, leave, seen, identity)


def test_everything_behind_a_slow_answer_is_answered_in_its_order(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        ask(client, {"kind": "json", "gate": "slow"})
        upstream.wait_for_request()
        for number in range(60):
            client.send(request("/v1/models", headers={"x-request-id": f"n{number}"}))
        upstream.open("slow")
        assert client.answer().status == 200
        answers = [client.answer() for _ in range(60)]
        assert [answer.header("x-request-id") for answer in answers] == [f"n{number}" for number in range(60)]
