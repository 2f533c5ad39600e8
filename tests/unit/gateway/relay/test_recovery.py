"""Who is asked when a stream breaks off, and who is not, over real connections to two services."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.health.health import Health
from nexus.gateway.relay import transcript as module
from nexus.gateway.relay.relay import relay
from nexus.gateway.relay.result import Relayed
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, ClientGoneError, Plan, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import make_call, make_target
from tests.servers.cards import model
from tests.servers.peer import Peer, Side

DONE = b"data: [DONE]\n\n"
BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}'


def say(text: str, finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    choice = {"index": index, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "choices": [choice], **fields}).encode() + b"\n\n"


END = say("", "stop") + DONE


class Streaming:
    """One streamed call and the services that are asked one after another."""

    def __init__(self, upstreams: Upstreams, peers: list[Peer], call: Call, plan: Plan) -> None:
        self.caller = Caller()
        self.result = Relayed()
        self.lease = Lease()
        self.health = Health()
        self.peers = peers
        self.plan = plan
        self._dispatcher = Dispatcher(upstreams, lambda url, reason: None, health=self.health)
        self.caller.start(self._relay(call, plan))

    async def _relay(self, call: Call, plan: Plan) -> None:
        again = partial(self._dispatcher.again, plan=plan, client=self.caller, lease=self.lease)
        try:
            reply = await self._dispatcher.send(call, plan, self.caller, self.lease)
            await relay(call, plan, reply, self.caller, self.result, again)
        finally:
            self.lease.release()

    async def until_asked(self, attempt: int) -> tuple[Side, Any]:
        """The service that is asked at this attempt, and what it is asked."""
        side = await self.peers[attempt - 1].accept()
        _, body = await side.request()
        return side, json.loads(body)

    async def ended(self) -> Caller:
        await self.caller.result()
        return self.caller

    def error(self) -> Any:
        """The error event that the stream ended with; nothing else of it may look like an end."""
        assert b"[DONE]" not in self.caller.body
        assert self.caller.body.count(b'"error"') == 1
        assert self.caller.end == "closed"
        return json.loads(self.caller.body.rpartition(b"data: ")[2])["error"]


@pytest.fixture
async def peers() -> AsyncIterator[list[Peer]]:
    async with Peer() as one, Peer() as two, Peer() as three:
        yield [one, two, three]


Begin = Callable[..., Streaming]


@pytest.fixture
def begin(upstreams: Upstreams, peers: list[Peer]) -> Begin:
    def start(body: bytes = BODY, *, continuation: tuple[bool, ...] = (False,) * 3, **timeouts: float) -> Streaming:
        targets = tuple(
            make_target(peer.url, models=(model("m", continuation=goes_on),))
            for peer, goes_on in zip(peers, continuation, strict=True)
        )
        call = make_call("m", body, stream=True)
        return Streaming(upstreams, peers, call, Plan(targets, Timeouts(**timeouts), alike=3))

    return start


async def broken(streaming: Streaming, *events: bytes, how: Callable[[Side], None] = Side.close) -> None:
    """Let the first service say something, and break."""
    side, _ = await streaming.until_asked(1)
    side.events(*events)
    await streaming.caller.until(lambda caller: caller.body == b"".join(events))
    how(side)


async def test_another_one_goes_on(begin: Begin) -> None:
    streaming = begin()
    await broken(streaming, say("Hel"))
    side, asked = await streaming.until_asked(2)
    assert asked == json.loads(BODY)
    side.events(say("H"), say("ello"), END)
    side.close()
    caller = await streaming.ended()
    assert caller.body.startswith(say("Hel") + b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"lo"}')
    assert caller.body.endswith(b": x-nexus-attempts=2; x-nexus-model=m\n\n" + DONE)
    assert (caller.end, streaming.result.error, streaming.lease.attempts) == ("finished", "", 2)
    assert streaming.result.events == caller.body.count(b"\n\n")
    assert streaming.result.bytes_out == len(caller.body)
    assert streaming.health.troubled, "the circuits have heard of the one that broke"


async def test_a_model_is_asked_to_continue_only_where_its_card_says_so(begin: Begin) -> None:
    streaming = begin(continuation=(True, False, True))
    await broken(streaming, say("Hel"))
    side, asked = await streaming.until_asked(2)
    assert asked == json.loads(BODY)
    side.events(say("Hello"))
    await streaming.caller.until(lambda caller: b'"lo"' in caller.body)
    side.reset()
    side, asked = await streaming.until_asked(3)
    assert asked["messages"][-1] == {"role": "assistant", "content": "Hello"}
    side.events(say("!"), END)
    side.close()
    caller = await streaming.ended()
    assert caller.body.endswith(DONE)
    assert b'"!"' in caller.body


async def test_a_refused_beginning_is_not_tried_twice(begin: Begin) -> None:
    streaming = begin(continuation=(True, True, True))
    await broken(streaming, say("Hel"))
    side, asked = await streaming.until_asked(2)
    assert len(asked["messages"]) == 2
    side.answer(b'{"error":{"message":"no prefill"}}', b"content-type: application/json", status=400)
    side, asked = await streaming.until_asked(3)
    assert asked == json.loads(BODY)
    side.events(say("Help"), END)
    side.close()
    assert (await streaming.ended()).body.endswith(DONE)


async def test_an_answer_that_is_no_stream_does_not_go_on(begin: Begin) -> None:
    streaming = begin()
    await broken(streaming, say("Hel"))
    side, _ = await streaming.until_asked(2)
    side.answer(b'{"choices":[]}', b"content-type: application/json")
    side, _ = await streaming.until_asked(3)
    side.events(say("x"))
    await streaming.ended()
    assert streaming.error()["message"].startswith("The stream was cut: it ended without saying")
    assert streaming.result.error == "upstream_error"
    await side.closed()


async def test_probabilities_are_not_joined(begin: Begin) -> None:
    streaming = begin()
    side, _ = await streaming.until_asked(1)
    choice = {"index": 0, "delta": {"content": "x"}, "logprobs": {"content": []}, "finish_reason": None}
    side.events(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
    side.close()
    await streaming.ended()
    assert streaming.error()
    assert streaming.lease.attempts == 1


async def test_more_than_is_kept_is_not_recovered(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 5)
    streaming = begin()
    await broken(streaming, say("Hello!"))
    await streaming.ended()
    assert streaming.error()
    assert streaming.lease.attempts == 1


async def test_an_error_of_the_request_asks_nobody(begin: Begin) -> None:
    streaming = begin()
    side, _ = await streaming.until_asked(1)
    told = b'data: {"error":{"message":"too long","type":"t","param":null,"code":"context_length_exceeded"}}\n\n'
    side.events(say("Hel"), told)
    caller = await streaming.ended()
    assert caller.body == say("Hel") + told
    assert streaming.result.error == "context_length_exceeded"
    assert (streaming.lease.attempts, streaming.health.troubled) == (1, False)


async def test_a_stall_goes_on_and_the_end_of_all_time_does_not(begin: Begin) -> None:
    streaming = begin(idle=0.1)
    side, _ = await streaming.until_asked(1)
    side.events(say("Hel"))
    other, _ = await streaming.until_asked(2)
    await side.closed()
    other.events(say("Hello"), END)
    other.close()
    assert (await streaming.ended()).body.endswith(DONE)
    streaming = begin(total=0.7)
    side, _ = await streaming.until_asked(1)
    side.events(say("Hel"))
    await streaming.ended()
    assert streaming.error()["code"] == "upstream_timeout"
    assert streaming.lease.attempts == 1


async def test_a_client_that_does_not_read_asks_nobody(begin: Begin) -> None:
    streaming = begin(total=0.7)
    streaming.caller.write_paused = True
    side, _ = await streaming.until_asked(1)
    side.events(say("Hel"))
    await streaming.ended()
    assert streaming.lease.attempts == 1
    assert not streaming.health.troubled
    await side.closed()


async def test_a_client_that_leaves_while_another_is_asked(begin: Begin) -> None:
    streaming = begin()
    await broken(streaming, say("Hel"))
    side, _ = await streaming.until_asked(2)
    streaming.caller.leave()
    with pytest.raises(ClientGoneError):
        await streaming.ended()
    await side.closed()
    assert streaming.lease.attempts == 2
    assert streaming.caller.body == say("Hel")


async def test_a_finished_answer_is_ended_by_the_gateway(begin: Begin) -> None:
    streaming = begin()
    await broken(streaming, say("Hello"), say("", "stop"))
    caller = await streaming.ended()
    assert caller.body == say("Hello") + END
    assert (caller.end, streaming.lease.attempts) == ("finished", 1)


async def test_a_stream_that_had_said_nothing_begins_anew(begin: Begin) -> None:
    streaming = begin()
    side, _ = await streaming.until_asked(1)
    side.events(b'data: {"id":"a","choices":[]}\n\n')
    await streaming.caller.until(lambda caller: bool(caller.body))
    side.close()
    side, _ = await streaming.until_asked(2)
    side.events(say("Hello"), END)
    side.close()
    caller = await streaming.ended()
    assert b'{"id":"a","choices":[{"index":0,"delta":{"content":"Hello"}' in caller.body
    assert caller.body.endswith(DONE)
