"""One timer looks at every connection, and goes on until it is stopped."""

import asyncio
import time
from dataclasses import replace

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.allowlist import Allowlist
from nexus.gateway.edge import sweeper as sweeper_module
from nexus.gateway.edge.auth import Keyring, digest
from nexus.gateway.edge.context import Edge, Limits
from nexus.gateway.edge.guard import Guard
from nexus.gateway.edge.sweeper import Sweeper
from nexus.gateway.values import Client, Outcome, Request
from nexus.policies.token import Token


class Swept:
    """A connection that leaves the set as it is looked at, as one that is closed does."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.times: list[float] = []
        self.enough = asyncio.Event()

    def sweep(self, now: float) -> None:
        self.times.append(now)
        if len(self.times) == 3:
            self._edge.connections.discard(self)
            self.enough.set()


@pytest.fixture
def edge() -> Edge:
    async def story(request: Request, client: Client) -> None: ...

    def record(outcome: Outcome) -> None: ...

    return Edge(Limits(), Keyring(), Guard(Allowlist({})), lambda method, path: None, story, record)


async def test_every_connection_is_looked_at_again_and_again(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper_module, "INTERVAL", 0.001)
    sweeper = Sweeper(edge, asyncio.get_running_loop())
    swept = [Swept(edge), Swept(edge)]
    edge.connections.update(swept)
    sweeper.start()
    async with asyncio.timeout(5):
        for one in swept:
            await one.enough.wait()
    sweeper.stop()
    for one in swept:
        assert one.times == sorted(one.times)
    assert edge.connections == set()


async def test_it_can_be_stopped_at_any_time(edge: Edge) -> None:
    sweeper = Sweeper(edge, asyncio.get_running_loop())
    sweeper.stop()
    sweeper.start()
    sweeper.stop()
    sweeper.stop()


async def test_tokens_that_expire_are_noticed(edge: Edge) -> None:
    keyring = Keyring([Token(digest("sk-one"), "one", expires=time.time() + 0.2)])
    version = keyring.version
    sweeper = Sweeper(replace(edge, keyring=keyring), asyncio.get_running_loop())
    sweeper.start()
    async with asyncio.timeout(5):
        while keyring.version == version:
            await asyncio.sleep(0.01)
    sweeper.stop()
    with pytest.raises(ApiError, match="expired"):
        keyring.check(b"Bearer sk-one")
