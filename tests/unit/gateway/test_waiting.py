"""The queue as the gateway joins it: told of freed places and new snapshots, and looking again after a load."""

import asyncio

from nexus.gateway.registry.index import build
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.relay.result import Relayed
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Plan, QueueRules, Timeouts
from nexus.gateway.views import Views
from nexus.gateway.waiting import create_turns
from tests.servers.caller import Caller
from tests.servers.calls import make_call, make_instance
from tests.servers.cards import model
from tests.servers.peer import Peer


async def test_it_hears_of_places_snapshots_and_loads(upstreams: Upstreams, peer: Peer) -> None:
    registry = Registry((), resolver=Resolver(), discovery_interval=5, health_interval=5, log=lambda *_, **__: None)
    changed: list[str] = []
    registry.card_changed = changed.append  # type: ignore[method-assign]  # there is no member to be asked
    views = Views(lambda: registry.snapshot)
    turns = create_turns(registry, upstreams, views, QueueRules, lambda _: 5.0, lambda *_, **__: None)
    cold = make_instance(url=peer.url, places=1, models=(model("m", state="unloaded"),))
    registry.snapshot = build([cold], {})
    call, first, second = make_call(), Caller(), Caller()

    def plan(_: object) -> Plan:
        return Plan(registry.snapshot.by_model["chat.completions", "m"].ready, Timeouts())

    target = turns.cold(call)
    assert target is not None
    second.start(turns.warm(call, plan, target, 10, Relayed()))
    side = await peer.accept()
    head, _ = await side.request()
    assert head.startswith(b"POST /v1/models/m/load")
    side.answer()
    await side.closed()
    async with asyncio.timeout(5):
        while not changed:
            await asyncio.sleep(0)
    assert changed == [peer.url]
    warm = make_instance(url=peer.url, places=1)
    registry.snapshot = build([warm], {})
    registry.on_change()
    assert (await second.result()).targets[0].instance is warm
    pool = upstreams.pool(warm)
    pool.in_flight = 1
    first.start(turns.turn(call, plan, plan(call), Relayed()))
    assert turns.waiting == 1
    pool.leave()
    assert turns.waiting == 0
    assert (await first.result()).targets[0].instance is warm
    await turns.close()
