"""The loop that the gateway runs on, and connections to a service that a test plays itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from nexus.gateway.upstream.upstreams import Upstreams
from tests.servers.caller import Caller
from tests.servers.peer import Peer


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """All of the gateway's tests run on uvloop, as the gateway does."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer() as peer:
        yield peer


@pytest.fixture
async def upstreams() -> AsyncIterator[Upstreams]:
    upstreams = Upstreams(asyncio.get_running_loop())
    yield upstreams
    upstreams.close()


@pytest.fixture
async def caller() -> Caller:
    return Caller()
