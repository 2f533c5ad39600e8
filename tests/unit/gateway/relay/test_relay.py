"""Answers go on as they come, over real connections; cut ones are told from whole ones."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.usage import Usage
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.relay.relay import relay
from nexus.gateway.relay.result import Relayed
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, ClientGoneError, Plan, Retries, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_call, make_target
from tests.servers.peer import Peer, Side

OK = b"HTTP/1.1 200 OK\r\n"
DONE = b"data: [DONE]\n\n"
JSON = b"content-type: application/json"


class Relaying:
    """One call from its service (`side`, in the test's hands) to its `caller`."""

    def __init__(self, upstreams: Upstreams, call: Call, url: str, timeouts: Timeouts) -> None:
        self.caller = Caller()
        self.result = Relayed()
        self.lease = Lease()
        self.side: Side
        self._dispatcher = Dispatcher(upstreams, lambda url, reason: None)
        self.caller.start(self._relay(call, Plan((make_target(url),), timeouts, Retries(max_attempts=1))))

    async def _relay(self, call: Call, plan: Plan) -> None:
        try:
            reply = await self._dispatcher.send(call, plan, self.caller, self.lease)
            await relay(call, plan, reply, self.caller, self.result)
        finally:
            self.lease.release()

    async def ended(self) -> Caller:
        await self.caller.result()
        return self.caller


Begin = Callable[..., Awaitable[Relaying]]


@pytest.fixture
def begin(upstreams: Upstreams, peer: Peer) -> Begin:
    async def start(call: Call | None = None, **timeouts: float) -> Relaying:
        relaying = Relaying(upstreams, call or make_call(), peer.url, Timeouts(**timeouts))
        relaying.side = await peer.accept()
        await relaying.side.request()
        return relaying

    return start


# --- whole answers


async def test_a_whole_answer_goes_on_at_once(begin: Begin) -> None:
    relaying = await begin()
    body = b'{"usage":{"prompt_tokens":7,"completion_tokens":5}}'
    relaying.side.answer(body, JSON)
    caller = await relaying.ended()
    assert (caller.status, caller.body, caller.end) == (200, body, "whole")
    result = relaying.result
    assert (result.status, result.bytes_out, result.usage, result.error) == (200, len(body), Usage(7, 5), "")
    assert result.first_byte is not None


async def test_usage_is_read_from_json_alone(begin: Begin) -> None:
    relaying = await begin(make_call(at=endpoint("audio.transcriptions")))
    relaying.side.answer(b'{"usage":{"prompt_tokens":7}}', b"content-type: text/plain")
    await relaying.ended()
    assert relaying.result.usage is None


async def test_an_answer_without_a_body(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    caller = await relaying.ended()
    assert (caller.status, caller.body, caller.end) == (204, b"", "whole")


async def test_the_head_is_the_services_own_but_for_its_hop_and_what_the_gateway_says(begin: Begin) -> None:
    relaying = await begin()
    dropped = (b"Connection: x-hop", b"keep-alive: timeout=5", b"Server: s", b"date: d", b"set-cookie: c", b"te: t",
               b"X-Request-Id: theirs", b"x-nexus-service: theirs", b"X-Nexus-Instance: theirs", b"upgrade: h2c",
               b"x-nexus-model: theirs", b"x-nexus-attempts: 9", b"trailer: x", b"proxy-authenticate: p")  # fmt: skip
    kept = (b"X-Own:  v", b"x-own: \xe9", b"retry-after: 3")
    relaying.side.answer(b"hi", *dropped, *kept)
    caller = await relaying.ended()
    assert caller.lines() == [
        *kept,
        b"x-request-id: req-1",
        b"x-nexus-service: svc",
        b"x-nexus-instance: svc-1",
        b"x-nexus-model: m",
        b"x-nexus-attempts: 1",
    ]


# --- bodies in pieces


async def test_a_body_in_pieces_goes_on_as_it_comes(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.send(OK + b"content-length: 4\r\n\r\nab")
    await relaying.caller.until(lambda caller: caller.body == b"ab")
    assert (relaying.caller.status, relaying.caller.length) == (200, 4)
    relaying.side.send(b"cd")
    caller = await relaying.ended()
    assert (caller.body, caller.end) == (b"abcd", "finished")
    assert relaying.result.bytes_out == 4


async def test_usage_of_a_json_answer_in_pieces_is_read(begin: Begin) -> None:
    relaying = await begin(make_call(at=endpoint("images.generations")))
    relaying.side.send(OK + JSON + b'\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{"usage":\r\n')
    await relaying.caller.until(lambda caller: bool(caller.body))
    assert relaying.caller.length is None
    relaying.side.send(b'14\r\n{"prompt_tokens":7}}\r\n0\r\n\r\n')
    await relaying.ended()
    assert relaying.result.usage == Usage(7, 0)


@pytest.mark.parametrize("how", [Side.close, Side.reset])
async def test_a_body_that_breaks_off_is_cut(begin: Begin, how: Callable[[Side], None]) -> None:
    relaying = await begin()
    relaying.side.send(OK + b"content-length: 4\r\n\r\nab")
    await relaying.caller.until(lambda caller: caller.body == b"ab")
    how(relaying.side)
    caller = await relaying.ended()
    assert caller.end == "cut"
    assert (relaying.result.status, relaying.result.error) == (200, "upstream_error")


async def test_a_body_that_stalls_is_cut_and_its_connection_closed(begin: Begin) -> None:
    relaying = await begin(idle=0.05)
    relaying.side.send(OK + b"content-length: 4\r\n\r\nab")
    caller = await relaying.ended()
    assert (caller.body, caller.end) == (b"ab", "cut")
    assert relaying.result.error == "upstream_timeout"
    await relaying.side.closed()


async def test_a_client_that_reads_slowly_pauses_its_service(begin: Begin) -> None:
    relaying = await begin()
    size = 30_000_000
    relaying.caller.write_paused = True
    relaying.side.send(OK + b"content-length: %d\r\n\r\n" % size + b"x" * size)
    await relaying.caller.until(lambda caller: bool(caller.body))
    flushed = asyncio.ensure_future(relaying.side.sent())
    done, _ = await asyncio.wait([flushed], timeout=0.2)
    assert not done  # the service cannot get rid of its bytes
    assert len(relaying.caller.body) < 1_000_000
    relaying.caller.resume_writing()
    caller = await relaying.ended()
    await flushed
    assert (len(caller.body), caller.end) == (size, "finished")


async def test_a_client_that_never_reads_on_is_given_up(begin: Begin) -> None:
    relaying = await begin(total=0.1)
    relaying.caller.write_paused = True
    relaying.side.send(OK + b"content-length: 4\r\n\r\nab")
    caller = await relaying.ended()
    assert caller.end == "cut"
    await relaying.side.closed()


async def test_a_client_that_leaves_closes_the_services_connection(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.events(b"data: {}\n\n")
    await relaying.caller.until(lambda caller: bool(caller.body))
    relaying.caller.leave()
    with pytest.raises(Exception, match="gone"):
        await relaying.ended()
    await relaying.side.closed()


# --- streams


async def test_events_go_on_whole_and_byte_for_byte(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.events(b": hi\n\ndata: {}\n\nda")
    await relaying.caller.until(lambda caller: caller.body == b": hi\n\ndata: {}\n\n")
    assert relaying.caller.length is None
    relaying.side.send(b'ta: {"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n' + DONE)
    relaying.side.close()
    caller = await relaying.ended()
    assert caller.body.startswith(b": hi\n\ndata: {}\n\ndata: {")
    assert caller.body.endswith(DONE)
    assert caller.end == "finished"
    assert (relaying.result.error, relaying.result.usage) == ("", Usage(7, 5))
    assert relaying.result.bytes_out == len(caller.body)


async def test_a_stream_that_came_at_once_is_still_a_stream(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.answer(b"data: {}\n\n" + DONE, b"Content-Type: text/event-stream; charset=utf-8")
    caller = await relaying.ended()
    assert (caller.body, caller.length, caller.end) == (b"data: {}\n\n" + DONE, None, "finished")


async def test_the_last_markers_empty_line_is_put_in(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.events(b"data: {}\n\ndata: [DONE]")
    relaying.side.close()
    caller = await relaying.ended()
    assert (caller.body, caller.end) == (b"data: {}\n\n" + DONE, "finished")


def cut_event(body: bytes) -> tuple[bytes, dict[str, str]]:
    """What came before the error event that a cut stream ends with, and the error."""
    before, _, event = body.rpartition(b"data: ")
    assert event.endswith(b"\n\n")
    assert b"[DONE]" not in event
    error: dict[str, str] = json.loads(event)["error"]
    return before, error


@pytest.mark.parametrize(
    ("sent", "passed", "told"),
    [
        (b"data: {}\n\n", b"data: {}\n\n", "it ended without saying that it was done"),
        (b"data: {}\n\ndata: {", b"data: {}\n\n", "it ended in the middle of an event"),
        (b"data: [DONE]\n\ndata: { }\n\n", b"data: [DONE]\n\ndata: { }\n\n", "it ended without saying"),
        (b"x", b"", "it ended in the middle of an event"),
    ],
)
async def test_a_stream_that_ends_too_early_ends_with_an_error_event(
    begin: Begin, sent: bytes, passed: bytes, told: str
) -> None:
    relaying = await begin()
    relaying.side.events(sent)
    relaying.side.close()
    caller = await relaying.ended()
    before, error = cut_event(caller.body)
    assert (before, caller.end) == (passed, "closed")
    assert error["code"] == relaying.result.error == "upstream_error"
    assert error["message"].startswith(f"The stream was cut: {told}")


async def test_an_error_that_the_service_told_in_its_stream_is_the_only_one(begin: Begin) -> None:
    relaying = await begin()
    told = b'data: {}\n\ndata: {"error":{"message":"data: out","type":"t","param":null,"code":"overloaded"}}\n\n'
    relaying.side.events(told, DONE)
    relaying.side.close()
    caller = await relaying.ended()
    assert (caller.body, caller.end, relaying.result.error) == (told, "closed", "overloaded")


async def test_an_error_in_other_words_is_told_in_the_envelope_within_a_stream_too(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.events(b'data: {}\n\ndata: {"error":"out of memory"}\n\n', DONE)
    caller = await relaying.ended()
    before, error = cut_event(caller.body)
    assert before == b"data: {}\n\n"
    assert error["message"] == "The stream was cut: the service told an error: out of memory."
    await relaying.side.closed()


async def test_a_malformed_chunk_is_not_passed_on_nor_what_follows(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.events(b'data: {}\n\ndata: {"a\n\ndata: {}\n\n', DONE)
    caller = await relaying.ended()
    before, error = cut_event(caller.body)
    assert (before, caller.end) == (b"data: {}\n\n", "closed")
    assert "malformed" in error["message"]
    await relaying.side.closed()


async def test_what_follows_the_last_word_does_not_matter(begin: Begin) -> None:
    for how in (Side.close, Side.reset):
        relaying = await begin(idle=0.2)
        relaying.side.send(OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        relaying.side.send(b"18\r\ndata: {}\n\n" + DONE[:12])
        relaying.side.send(DONE[12:] + b"\r\n")
        await relaying.caller.until(lambda caller: caller.body.endswith(DONE))
        how(relaying.side)
        caller = await relaying.ended()
        assert (caller.body, caller.end) == (b"data: {}\n\n" + DONE, "finished")


async def test_operations_without_a_marker_end_when_they_end(begin: Begin) -> None:
    relaying = await begin(make_call(at=endpoint("messages")))
    relaying.side.events(b"event: message_stop\ndata: {}\n\n")
    relaying.side.close()
    caller = await relaying.ended()
    assert (caller.body, caller.end) == (b"event: message_stop\ndata: {}\n\n", "finished")


async def test_a_stream_that_is_reset_ends_with_an_error_event(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.events(b"data: {}\n\n")
    await relaying.caller.until(lambda caller: bool(caller.body))
    relaying.side.reset()
    caller = await relaying.ended()
    before, error = cut_event(caller.body)
    assert before == b"data: {}\n\n"
    assert "closed the connection" in error["message"]


async def test_a_stream_that_stalls_ends_with_an_error_event(begin: Begin) -> None:
    relaying = await begin(idle=0.05)
    relaying.side.events(b"data: {}\n\n")
    caller = await relaying.ended()
    _, error = cut_event(caller.body)
    assert error["code"] == relaying.result.error == "upstream_timeout"
    await relaying.side.closed()


async def test_a_stream_is_bounded_as_a_whole(begin: Begin) -> None:
    relaying = await begin(total=0.2)
    relaying.side.events(b"data: {}\n\n")
    await relaying.caller.until(lambda caller: bool(caller.body))
    relaying.side.send(b"data: { }\n\n")
    caller = await relaying.ended()
    before, error = cut_event(caller.body)
    assert before == b"data: {}\n\ndata: { }\n\n"
    assert error["code"] == "upstream_timeout"


# --- errors


async def test_an_error_in_the_envelope_is_passed_on(begin: Begin) -> None:
    relaying = await begin()
    body = b'{"error":{"message":"no","type":"t","param":null,"code":"busy"}}'
    relaying.side.answer(body, b"content-type: text/plain", b"retry-after: 3", b"x-own: v", status=429)
    caller = await relaying.ended()
    assert (caller.status, caller.body, caller.end) == (429, body, "whole")
    assert b"content-type: application/json" in caller.lines()
    assert b"content-type: text/plain" not in caller.lines()
    assert {b"retry-after: 3", b"x-own: v", b"x-nexus-service: svc"} <= set(caller.lines())
    assert (relaying.result.status, relaying.result.error, relaying.result.bytes_out) == (429, "busy", len(body))


async def test_an_error_in_other_words_is_told_in_the_envelope(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.answer(b'{"detail":"loading"}', b"x-own: v", b"retry-after: 3", status=503)
    caller = await relaying.ended()
    error = json.loads(caller.body)["error"]
    assert (caller.status, error["code"], error["message"]) == (503, "no_ready_service", "svc answered 503: loading")
    lines = caller.lines()
    assert b"retry-after: 3" in lines
    assert b"x-own: v" not in lines
    assert b"x-request-id: req-1" in lines


async def test_an_error_that_comes_in_pieces_is_waited_for(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.send(b'HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"err\r\n')
    await asyncio.sleep(0)
    relaying.side.send(b'1b\r\nor":{"message":"it broke"}}\r\n0\r\n\r\n')
    caller = await relaying.ended()
    assert caller.status == 500
    assert json.loads(caller.body)["error"] == {"message": "it broke", "type": None, "param": None, "code": None}


async def test_an_error_that_breaks_off_is_an_error_all_the_same(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.send(b"HTTP/1.1 500 X\r\ncontent-length: 100\r\n\r\nit br")
    relaying.side.close()
    caller = await relaying.ended()
    assert (caller.status, relaying.result.error) == (502, "upstream_error")
    assert "it br" in caller.body.decode()


async def test_an_endless_error_is_read_so_far_and_no_further(begin: Begin) -> None:
    relaying = await begin()
    relaying.side.send(b"HTTP/1.1 500 X\r\n\r\n" + b"x" * 1_000_000)
    caller = await relaying.ended()
    assert caller.status == 502
    assert len(caller.body) < 1000
    await relaying.side.closed()


async def test_an_error_that_stalls_is_504(begin: Begin) -> None:
    relaying = await begin(idle=0.05)
    relaying.side.send(b"HTTP/1.1 500 X\r\ncontent-length: 100\r\n\r\nit br")
    with pytest.raises(ApiError) as caught:
        await relaying.ended()
    assert caught.value.status == 504
    assert not relaying.caller.head_sent


async def test_a_connection_whose_client_left_while_it_was_paused_serves_the_next_call(
    begin: Begin, upstreams: Upstreams
) -> None:
    relaying = await begin()
    relaying.side.send(OK + b"content-length: 4\r\n\r\n")
    relaying.side.send(b"ab")
    await relaying.caller.until(lambda caller: caller.body == b"ab")
    relaying.caller.write_paused = True
    relaying.side.send(b"cd")
    await relaying.caller.until(lambda caller: caller.body == b"abcd")
    relaying.caller.leave()
    with pytest.raises(ClientGoneError):
        await relaying.ended()
    caller = Caller()
    caller.start(_again(upstreams, relaying, caller))
    await relaying.side.request()
    relaying.side.answer(b"next")
    await caller.result()
    assert caller.body == b"next"


async def _again(upstreams: Upstreams, relaying: Relaying, caller: Caller) -> None:
    """One more call to the same service."""
    lease, call = Lease(), make_call()
    target = relaying.lease.target
    assert target is not None
    plan = Plan((target,), Timeouts())
    try:
        reply = await Dispatcher(upstreams, lambda url, reason: None).send(call, plan, caller, lease)
        await relay(call, plan, reply, caller, Relayed())
    finally:
        lease.release()


async def test_an_event_stream_without_a_body_stays_without_one(begin: Begin) -> None:
    relaying = await begin(make_call(stream=True))
    relaying.side.send(b"HTTP/1.1 204 No Content\r\ncontent-type: text/event-stream\r\n\r\n")
    caller = await relaying.ended()
    assert (caller.status, caller.body, caller.end) == (204, b"", "whole")
