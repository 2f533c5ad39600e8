"""Answers pass as they come, with back-pressure, and one that breaks off never looks finished."""

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import ClosedError, RawClient, request, wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.scripts import USAGE

CHAT = "/v1/chat/completions"
SPEECH = "/v1/audio/speech"
DONE = b"data: [DONE]\n\n"


def ask(client: RawClient, script: dict[str, Any], path: str = CHAT, **fields: Any) -> None:
    client.send(request(path, chat_body(script, **fields), token=TOKEN))


def events(body: bytes) -> list[dict[str, Any]]:
    """The JSON events of a stream; fails on half an event, and on anything after [DONE]."""
    assert body.endswith(b"\n\n")
    pieces = body.removesuffix(b"\n\n").split(b"\n\n")
    if pieces[-1] == b"data: [DONE]":
        pieces.pop()
    return [json.loads(piece.removeprefix(b"data: ")) for piece in pieces]


def text(body: bytes) -> str:
    choices = (event["choices"][0] for event in events(body) if event.get("choices"))
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_tokens_arrive_as_they_are_sent(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    """The service sends the next token only after the client has had the one before."""
    with RawClient(gateway.port) as client:
        ask(client, {"kind": "sse", "tokens": 4, "gate": "next"}, stream=True)
        status, headers = client.read_head()
        assert status == 200
        assert dict(headers)["content-type"].startswith("text/event-stream")
        for number in range(4):
            assert text(client.chunk()) == f"t{number} "
            upstream.open("next")
        assert b"".join(iter(client.chunk, b"")).endswith(DONE)


def test_plain_bodies_arrive_as_they_are_sent_too(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        ask(client, {"kind": "slow", "gate": "letter"}, SPEECH)
        upstream.open("letter")
        _, headers = client.read_head()
        assert dict(headers)["content-length"] == "4"
        for letter in (b"s", b"l", b"o"):
            assert client._exactly(1) == letter
            upstream.open("letter")
        assert client._exactly(1) == b"w"


def test_a_stream_passes_byte_for_byte(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(upstream.port) as direct, RawClient(gateway.port) as client:
        script = {"kind": "sse", "tokens": 50, "padding": 300}
        ask(direct, script, stream=True, stream_options={"include_usage": True})
        ask(client, script, stream=True, stream_options={"include_usage": True})
        assert client.answer().body == direct.answer().body


@pytest.mark.parametrize("end", ["no_done", "cut", "drop", "reset"])
@pytest.mark.parametrize("later", [False, True], ids=["at-once", "later"])
def test_a_cut_stream_ends_with_one_error_event(
    gateway: Gateway, upstream: ScriptedUpstream, end: str, later: bool
) -> None:
    """Whoever is asked after that breaks off just there, too."""
    with RawClient(gateway.port) as client:
        ask(client, {"kind": "sse", "tokens": 2, "end": end, **({"gate": end} if later else {})}, stream=True)
        upstream.open(end, 6 if later else 0)
        answer = client.answer()
        assert client.closed()
    *before, last = events(answer.body)
    assert last["error"]["code"] == "upstream_error"
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert b"[DONE]" not in answer.body
    assert all("error" not in event for event in before)
    assert text(answer.body) == "t0 t1 " or end == "reset"  # a reset may overtake what was sent before it


def test_a_stream_that_stalls_ends_with_an_error_event(start_gateway: Callable[..., Gateway], stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, config="timeouts: {idle: 0.3}\n")
    answer = gateway.chat({"kind": "sse", "tokens": 2, "end": "hang"}, stream=True)
    assert text(answer.body) == "t0 t1 "
    assert events(answer.body)[-1]["error"]["code"] == "upstream_timeout"
    upstream.wait_for(lambda: upstream.seen[0].left_at, 1)


def test_a_stream_that_takes_too_long_in_all_ends_with_an_error_event(
    start_gateway: Callable[..., Gateway], stack: ExitStack
) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, config="timeouts: {total: 0.5}\n")
    answer = gateway.chat({"kind": "sse", "tokens": 10_000, "interval": 0.02}, stream=True)
    assert events(answer.body)[-1]["error"]["code"] == "upstream_timeout"


def test_a_plain_answer_that_breaks_off_is_never_whole(gateway: Gateway) -> None:
    with RawClient(gateway.port) as client:
        ask(client, {"kind": "short", "type": "audio/wav"}, SPEECH)
        with pytest.raises(ClosedError):
            client.answer()


def test_a_plain_answer_of_json_that_breaks_off_is_an_error(gateway: Gateway) -> None:
    answer = gateway.chat({"kind": "short"})
    assert (answer.status, answer.error["code"], answer.header("x-nexus-attempts")) == (502, "upstream_error", "3")


@pytest.mark.parametrize("kind", ["http10", "trailers", "interim"])
def test_odd_but_right_answers_pass(gateway: Gateway, upstream: ScriptedUpstream, kind: str) -> None:
    with RawClient(gateway.port) as client:
        for _ in range(3):
            ask(client, {"kind": kind})
            answer = client.answer()
            assert (answer.status, answer.interim) == (200, ())
            assert answer.json()["choices"][0]["message"]["content"] == "Hello."


@pytest.mark.parametrize("kind", ["close", "reset", "garbage"])
def test_no_answer_is_502_and_the_next_request_is_fine(gateway: Gateway, upstream: ScriptedUpstream, kind: str) -> None:
    with RawClient(gateway.port) as client:
        for _ in range(3):
            ask(client, {"kind": kind})
            answer = client.answer()
            assert (answer.status, answer.error["code"]) == (502, "upstream_error")
            ask(client, {"kind": "json", "body": {"fine": True}})
            assert client.answer().json() == {"fine": True}


def test_connections_to_a_service_are_used_again(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with RawClient(gateway.port) as client:
        for stream in (False, True, False, True, False):
            ask(client, {}, stream=stream)
            client.answer()
    assert len({seen.connection for seen in upstream.seen}) == 1


def test_large_answers_pass_whole(gateway: Gateway) -> None:
    answer = gateway.post(SPEECH, chat_body({"kind": "big", "bytes": 30_000_001}))
    assert answer.header("content-length") == "30000001"
    assert (len(answer.body), answer.body.count(b"\n")) == (30_000_001, 30_000)


def test_large_requests_pass_whole(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    body = chat_body(user="u" * 20_000_000)
    assert gateway.post(CHAT, body, timeout=30).status == 200
    assert upstream.seen[0].json() == body


def test_a_client_that_does_not_read_stops_its_service(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    before = gateway.rss_bytes()
    with RawClient(gateway.port, receive_buffer=4096) as client:
        ask(client, {"kind": "flood"}, stream=True)
        seen = upstream.wait_for_request()

        def stands_still() -> bool:
            sent = seen.bytes_sent
            for _ in range(20):
                gateway.get("/health")
            return sent > 100_000 and seen.bytes_sent == sent

        wait_until(stands_still, 15)
        assert gateway.rss_bytes() - before < 16_000_000
        assert seen.bytes_sent < 32_000_000, "socket buffers alone hold less"
        sent = seen.bytes_sent
        client.read_head()
        for _ in range(2000):
            assert client.chunk()
        upstream.wait_for(lambda: seen.bytes_sent > sent)
    upstream.wait_for(lambda: seen.left_at, 1)


def test_usage_of_a_stream_is_in_the_log(gateway: Gateway) -> None:
    answer = gateway.chat({"kind": "sse"}, stream=True, stream_options={"include_usage": True})
    line = gateway.request_line(answer.header("x-request-id") or "")
    assert line["usage"]["completion_tokens"] == USAGE["completion_tokens"]
    assert line["bytes_out"] == len(answer.body)


async def test_two_hundred_streams_at_once(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    count = 200
    before = gateway.rss_bytes()
    data = request(CHAT, chat_body({"kind": "sse", "tokens": 3, "gate": "crowd"}, stream=True), token=TOKEN)

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        first = await reader.readuntil(b"\n\n\r\n")
        opened.append(first)
        if len(opened) == count:
            everyone.set()
        await everyone.wait()
        rest = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return first + rest

    opened: list[bytes] = []
    everyone = asyncio.Event()
    tasks = [asyncio.create_task(one()) for _ in range(count)]
    async with asyncio.timeout(30):
        await everyone.wait()
        assert sum(instance["in_flight"] for instance in await asyncio.to_thread(gateway.instances)) == count
        assert gateway.rss_bytes() - before < 30_000_000
        upstream.open("crowd", 3 * count)
        answers = await asyncio.gather(*tasks)
    assert all(b"[DONE]" in answer and b"t2 " in answer for answer in answers)
