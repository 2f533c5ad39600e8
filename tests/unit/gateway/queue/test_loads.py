"""A load is asked of the service itself, once at a time, and what came of it is told; see also test_turns."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.queue.loads import AGAIN_SECONDS, Loads
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Target
from tests.servers.calls import make_target
from tests.servers.peer import Peer


class Loading:
    def __init__(self, seconds: float = 10.0) -> None:
        self.now = 100.0
        self.ends: asyncio.Queue[tuple[Target, ApiError | None]] = asyncio.Queue()
        self.logged: list[tuple[str, str, dict[str, Any]]] = []
        self.loads = Loads(
            Fetcher(Resolver()),
            lambda _: seconds,
            lambda target, error: self.ends.put_nowait((target, error)),
            lambda level, event, **fields: self.logged.append((level, event, fields)),
            lambda: self.now,
        )

    async def end(self) -> ApiError | None:
        async with asyncio.timeout(10):
            return (await self.ends.get())[1]


@pytest.fixture
async def loading() -> AsyncIterator[Loading]:
    loading = Loading()
    yield loading
    await loading.loads.close()


async def test_a_model_is_loaded_once_and_not_again_at_once(loading: Loading, peer: Peer) -> None:
    target = make_target(peer.url, "org/model x", authorization="Bearer of-the-engine")
    loading.loads.begin(target)
    loading.loads.begin(target)
    assert loading.loads.running() == ((peer.url, "org/model x"),)
    side = await peer.accept()
    head, _ = await side.request()
    assert head.startswith(b"POST /v1/models/org/model%20x/load HTTP/1.1\r\n")
    assert b"of-the-engine" not in head
    side.answer()
    assert await loading.end() is None
    loading.loads.begin(target)
    assert loading.loads.running() == ()
    loading.now += AGAIN_SECONDS
    loading.loads.begin(target)
    assert loading.loads.running() == ((peer.url, "org/model x"),)
    assert [(level, event, fields["ok"]) for level, event, fields in loading.logged] == [("info", "model_loaded", True)]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (502, b'{"error":{"message":"no\\nroom."}}', "no room"),
        (500, b"<html>", "it was answered 500"),
        (404, b"", "it is not in memory, and the service has no way to be told to load it"),
        (405, b"", "it is not in memory, and the service has no way to be told to load it"),
    ],
)
async def test_what_it_says_when_it_cannot(loading: Loading, peer: Peer, status: int, body: bytes, said: str) -> None:
    target = make_target(peer.url)
    loading.loads.begin(target)
    side = await peer.accept()
    await side.request()
    side.answer(body, status=status)
    error = await loading.end()
    assert error is not None
    assert (error.status, error.message) == (503, f"svc could not load 'm': {said}.")
    with pytest.raises(ApiError) as told:
        loading.loads.begin(target)
    assert told.value is error
    loading.now += AGAIN_SECONDS
    loading.loads.begin(target)


async def test_one_that_does_not_answer(peer: Peer) -> None:
    loading = Loading(seconds=0.05)
    loading.loads.begin(make_target(peer.url))
    error = await loading.end()
    assert error is not None
    assert error.message == "svc could not load 'm': it took longer than 0.05 s."


async def test_one_that_is_not_there(loading: Loading, peer: Peer) -> None:
    await peer.stop()
    loading.loads.begin(make_target(peer.url))
    error = await loading.end()
    assert error is not None
    assert error.message == "svc could not load 'm': the connection was refused."


async def test_at_the_end_nothing_goes_on(loading: Loading, peer: Peer) -> None:
    loading.loads.begin(make_target(peer.url))
    side = await peer.accept()
    await side.request()
    await loading.loads.close()
    await side.closed()
    assert loading.loads.running() == ()
    assert loading.ends.empty()
