"""An answer that is held back until it is whole: bounds reach the client, bytes do not until they are released."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.relay import collected as module
from nexus.gateway.relay.collected import Collected
from nexus.gateway.relay.relay import relay
from nexus.gateway.relay.result import Relayed
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Plan, Reply, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_call, make_target
from tests.servers.peer import Peer, Side

HEAD = b"content-type: application/json\r\n"


@pytest.fixture
def collected(caller: Caller) -> Collected:
    return Collected(caller)


async def test_pieces_are_sent_on_whole_with_another_body(collected: Collected, caller: Caller) -> None:
    collected.send_head(201, HEAD, None)
    await collected.drain()
    collected.send(b"so")
    collected.send(b"und")
    collected.finish()
    assert (collected.status, collected.head, collected.body) == (201, HEAD, b"sound")
    assert not collected.head_sent
    assert not caller.head_sent
    collected.release(b"music")
    assert (caller.status, caller.head, caller.body, caller.end) == (201, HEAD, b"music", "whole")


@pytest.mark.parametrize("end", [Collected.cut, Collected.finish_and_close])
async def test_one_that_broke_off_is_told_as_an_error(collected: Collected, caller: Caller, end) -> None:
    collected.send_head(200, HEAD, 5)
    collected.send(b"so")
    end(collected)
    with pytest.raises(ApiError) as caught:
        collected.release(b"music")
    assert (caught.value.status, caught.value.code) == (502, "upstream_error")
    assert not caller.head_sent


@pytest.mark.parametrize("whole", [True, False])
async def test_a_huge_one_is_given_up(collected: Collected, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    monkeypatch.setattr(module, "LARGEST", 10)
    collected.send_head(200, HEAD, None)
    collected.send(bytes(10))
    send = (lambda: collected.send_whole(200, HEAD, b"x")) if whole else (lambda: collected.send(b"x"))
    with pytest.raises(ApiError) as caught:
        send()
    assert caught.value.status == 502


async def test_bounds_are_the_clients(collected: Collected, caller: Caller) -> None:
    collected.end_within(60)
    collected.expect_within(60, "begin")
    assert set(caller._timers) == {"end", "next"}
    for timer in caller._timers.values():
        timer.cancel()


async def replied(upstreams: Upstreams, peer: Peer) -> tuple[Side, Reply]:
    """A service that has been asked, and the reply whose answer it is about to give."""
    target = make_target(peer.url)
    connection = await Caller().run(upstreams.pool(target.instance).open())
    answer = connection.request(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"")
    side = await peer.accept()
    await side.request()
    return side, Reply(answer, target, 1)


@pytest.mark.parametrize("stream_ends_well", [True, False])
async def test_an_event_stream_is_held_back_too(
    collected: Collected, caller: Caller, upstreams: Upstreams, peer: Peer, stream_ends_well: bool
) -> None:
    side, reply = await replied(upstreams, peer)

    async def wait() -> None:
        while not (reply.answer.parts or reply.answer.complete or reply.answer.failure):
            await reply.answer

    side.events(b"data: 1\n\n", b"" if stream_ends_well else b"data: in the mid")
    side.close()
    await Caller().run(wait())
    result = Relayed()
    plan = Plan((reply.target,), Timeouts())
    call = make_call(at=endpoint("images.generations"))
    await Caller().run(relay(call, plan, reply, collected, result))
    assert not caller.head_sent
    if stream_ends_well:
        collected.release(collected.body)
        assert (caller.status, caller.body) == (200, b"data: 1\n\n")
    else:
        with pytest.raises(ApiError):
            collected.release(collected.body)
