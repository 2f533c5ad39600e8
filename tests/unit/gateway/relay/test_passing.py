"""Every bad end of a stream is a BrokenError that knows whose fault it was; good ends raise nothing."""

import pytest

from nexus.gateway.relay.events import EventGate
from nexus.gateway.relay.passing import BrokenError, pass_events
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Plan, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import make_target
from tests.servers.peer import Peer

DONE = b"data: [DONE]\n\n"
TOLD = b'data: {"error":{"message":"no","code":"content_filter"}}\n\n'


async def passed(upstreams: Upstreams, peer: Peer, sent: bytes, *, marked: bool = True) -> tuple[bytes, str]:
    """What of `sent` was passed on, and what the circuits will hear of the answer. Raises BrokenError."""
    connection = await Caller().run(upstreams.pool(make_target(peer.url).instance).open())
    answer = connection.request(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"")
    side = await peer.accept()
    await side.request()
    side.events(sent)
    side.close()
    seen: list[bytes] = []
    caller = Caller()
    gate = EventGate(checked=marked)
    try:
        plan = Plan((make_target(peer.url),), Timeouts())
        await caller.run(pass_events(answer, gate, seen.append, plan, caller, marked=marked))
    except BrokenError as error:
        error.add_note(answer.failure)
        raise
    return b"".join(seen), answer.failure


@pytest.mark.parametrize("sent", [DONE, b"data: {}\n\n" + DONE, b"data: {}\r\n\r\ndata: [DONE]\r\n\r\n"])
async def test_a_good_end(upstreams: Upstreams, peer: Peer, sent: bytes) -> None:
    assert await passed(upstreams, peer, sent) == (sent, "")


async def test_a_last_word_without_its_empty_line(upstreams: Upstreams, peer: Peer) -> None:
    assert await passed(upstreams, peer, b"data: {}\n\ndata: [DONE]") == (b"data: {}\n\n" + DONE, "")


async def test_without_a_mark_anything_may_be_the_end(upstreams: Upstreams, peer: Peer) -> None:
    assert await passed(upstreams, peer, b"data: x\n\n" + TOLD, marked=False) == (b"data: x\n\n" + TOLD, "")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"data: {}\n\n", "without saying that it was done"),
        (b"data: {}\n\ndata: {", "in the middle of an event"),
        (b"data: {}\n\ndata: {\n\n" + DONE, "malformed"),
        (b'data: {"error":"no"}\n\n' + DONE, "told an error: no"),
    ],
)
async def test_a_bad_end_is_the_services_fault(upstreams: Upstreams, peer: Peer, sent: bytes, why: str) -> None:
    with pytest.raises(BrokenError, match=why) as caught:
        await passed(upstreams, peer, sent)
    assert (caught.value.final, caught.value.told) == (False, b"")
    assert caught.value.__notes__ == [caught.value.message]


async def test_an_error_that_would_be_the_same_elsewhere_is_nobodys_fault(upstreams: Upstreams, peer: Peer) -> None:
    with pytest.raises(BrokenError) as caught:
        await passed(upstreams, peer, b"data: {}\n\n" + TOLD)
    assert (caught.value.final, caught.value.told) == (True, TOLD)
    assert caught.value.__notes__ == [""]
