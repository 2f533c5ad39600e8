"""How far a call is, as its service tells on a real connection; what makes no sense changes nothing."""

import asyncio
from collections.abc import Awaitable

import pytest

from nexus.gateway.background import progress
from nexus.gateway.background.progress import Seen, Watcher
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.resolver import Resolver
from tests.servers.calls import make_instance
from tests.servers.peer import Peer


@pytest.fixture
def watcher() -> Watcher:
    return Watcher(Fetcher(Resolver()).get)


async def told(look: Awaitable[Seen | None], peer: Peer, body: bytes, status: int = 200) -> tuple[bytes, Seen | None]:
    """The question, and what is known once it was answered so."""
    looking = asyncio.ensure_future(look)
    side = await peer.accept()
    head, _ = await side.request()
    side.answer(body, status=status)
    return head, await looking


async def test_it_is_asked_by_the_calls_id_and_with_the_instances_own_credential(watcher: Watcher, peer: Peer) -> None:
    instance = make_instance(url=f"{peer.url}/under", authorization="Bearer own")
    head, seen = await told(watcher.look(instance, "job_1"), peer, b'{"progress":0.25,"message":"step 1","more":[]}')
    assert head.startswith(b"GET /under/v1/calls/job_1 HTTP/1.1\r\n")
    assert b"authorization: Bearer own\r\n" in head
    assert seen == Seen(0.25, "step 1")


async def test_it_never_goes_back_nor_beyond_the_whole(watcher: Watcher, peer: Peer) -> None:
    instance = make_instance(url=peer.url)
    steps = []
    for body in (b'{"progress":0.5}', b'{"progress":0.2}', b'{"progress":-3}', b'{"progress":7,"message":"end"}'):
        _, seen = await told(watcher.look(instance, "job_1"), peer, body)
        assert seen is not None
        steps.append(seen.fraction)
    assert steps == [0.5, 0.5, 0.5, 1.0]


async def test_a_long_message_is_cut(watcher: Watcher, peer: Peer) -> None:
    _, seen = await told(watcher.look(make_instance(url=peer.url), "j"), peer, b'{"message":"%b"}' % (b"x" * 3000))
    assert seen == Seen(0.0, "x" * 200)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"progress":0.9}', 404),
        (b"not json", 200),
        (b"\xff", 200),
        (b'{"progress":"much"}', 200),
        (b'{"progress":null}', 200),
        (b'{"progress":NaN}', 200),
        (b'{"message":7}', 200),
        (b"[]", 200),
        (b'{"x":' + b"[" * 2000 + b"]" * 2000 + b"}", 200),
        (b'{"message":"' + b"x" * 5000 + b'"}', 200),
    ],
    ids=["404", "text", "bytes", "word", "null", "nan", "number", "list", "deep", "large"],
)
async def test_what_makes_no_sense_changes_nothing(watcher: Watcher, peer: Peer, body: bytes, status: int) -> None:
    instance = make_instance(url=peer.url)
    assert (await told(watcher.look(instance, "job_1"), peer, body, status))[1] is None
    _, known = await told(watcher.look(instance, "job_1"), peer, b'{"progress":0.25,"message":"so far"}')
    assert (await told(watcher.look(instance, "job_1"), peer, body, status))[1] == known == Seen(0.25, "so far")


async def test_a_service_that_is_gone_or_silent_changes_nothing(
    watcher: Watcher, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.05)
    instance = make_instance(url=peer.url)
    assert await watcher.look(instance, "job_1") is None  # it takes the connection, and no more
    await peer.stop()
    assert await watcher.look(instance, "job_1") is None
