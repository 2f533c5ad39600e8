"""One pool for each instance, as long as it is needed."""

import asyncio

import pytest

from nexus.gateway.upstream import upstreams as upstreams_module
from nexus.gateway.upstream.upstreams import Upstreams
from tests.servers.caller import Caller
from tests.servers.calls import make_instance
from tests.servers.peer import Peer


async def test_an_instance_keeps_its_pool_until_its_data_path_moves(upstreams: Upstreams) -> None:
    pool = upstreams.pool(make_instance(url="http://a:1"))
    assert upstreams.pool(make_instance(url="http://a:1")) is pool
    assert upstreams.pool(make_instance(url="http://b:1")) is not pool
    moved = make_instance(url="http://a:1", data_url="http://engine:2")
    assert upstreams.pool(moved).url == "http://engine:2"
    assert upstreams.pool(moved) is not pool


async def test_calls_in_flight_are_told_by_the_url_an_instance_is_listed_under(upstreams: Upstreams) -> None:
    assert upstreams.in_flight("http://a:1") == 0
    upstreams.pool(make_instance(url="http://a:1", data_url="http://engine:2")).in_flight += 2
    upstreams.pool(make_instance(url="http://b:1"))
    assert (upstreams.in_flight("http://a:1"), upstreams.in_flight("http://b:1")) == (2, 0)
    assert upstreams.loads() == {"http://a:1": 2, "http://b:1": 0}


async def test_pools_that_nobody_uses_are_forgotten(upstreams: Upstreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstreams_module, "_EXPIRY_INTERVAL", 0.001)
    upstreams.pool(make_instance(url="http://idle:1"))
    upstreams.pool(make_instance(url="http://busy:1")).in_flight += 1
    upstreams.start()
    async with asyncio.timeout(5):
        while len(upstreams.loads()) > 1:
            await asyncio.sleep(0)
    assert upstreams.loads() == {"http://busy:1": 1}


async def test_closing_ends_all_connections(peer: Peer) -> None:
    upstreams = Upstreams(asyncio.get_running_loop())
    upstreams.start()
    await Caller().run(upstreams.pool(make_instance(url=peer.url)).open())
    side = await peer.accept()
    upstreams.close()
    await side.closed()
    assert upstreams.loads() == {}


async def test_it_is_told_where_a_call_has_ended(upstreams: Upstreams) -> None:
    freed: list[str] = []
    upstreams.on_freed = freed.append
    instance = make_instance(data_url="http://engine.test:1")
    pool = upstreams.pool(instance)
    pool.in_flight = 2
    pool.leave()
    assert (pool.in_flight, freed) == (1, [instance.url])
