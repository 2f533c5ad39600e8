"""An answer is followed as far as its service and its client go along, and who of them did not is told."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.relay.follow import NoReaderError, follow
from nexus.gateway.upstream.connection import Answer
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import LateError, Plan, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import make_target
from tests.servers.peer import Peer, Side

TARGET = make_target()


async def asked(upstreams: Upstreams, peer: Peer) -> tuple[Answer, Side]:
    connection = await Caller().run(upstreams.pool(make_target(peer.url).instance).open())
    answer = connection.request(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"")
    side = await peer.accept()
    await side.request()
    return answer, side


async def followed(caller: Caller, answer: Answer, **timeouts: float) -> list[bytes]:
    seen: list[bytes] = []
    await caller.run(follow(answer, seen.append, Plan((TARGET,), Timeouts(**timeouts)), caller))
    return seen


async def test_to_its_end(upstreams: Upstreams, peer: Peer, caller: Caller) -> None:
    answer, side = await asked(upstreams, peer)
    side.answer(b"whole")
    assert b"".join(await followed(caller, answer)) == b"whole"


async def test_to_where_it_breaks_off(upstreams: Upstreams, peer: Peer, caller: Caller) -> None:
    answer, side = await asked(upstreams, peer)
    side.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    side.close()
    with pytest.raises(ApiError, match="closed the connection"):
        await followed(caller, answer)
    assert answer.failure


async def test_to_where_it_stalls(upstreams: Upstreams, peer: Peer, caller: Caller) -> None:
    answer, side = await asked(upstreams, peer)
    side.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    with pytest.raises(LateError) as caught:
        await followed(caller, answer, idle=0.05)
    assert not caught.value.final
    assert answer.stalled


async def test_a_client_that_takes_nothing_is_not_the_services_fault(
    upstreams: Upstreams, peer: Peer, caller: Caller
) -> None:
    answer, side = await asked(upstreams, peer)
    side.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    caller.write_paused = True
    with pytest.raises(NoReaderError):
        await followed(caller, answer, total=0.05)
    assert not answer.failure
    assert not answer.stalled
