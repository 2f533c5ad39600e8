"""A queue as tests of the stages join it: before a snapshot of their own."""

import asyncio
from collections.abc import Callable

from nexus.contract.errors import ApiError
from nexus.gateway.queue.loads import Loads
from nexus.gateway.queue.turns import Turns
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Snapshot, Target
from nexus.gateway.routes import route_of
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import QueueRules


def make_turns(
    upstreams: Upstreams,
    snapshot: Callable[[], Snapshot] = Snapshot,
    rules: Callable[[], QueueRules] = QueueRules,
    load_seconds: float = 10.0,
) -> Turns:
    """It is told of freed places; the test tells it when its snapshot is another one."""

    def ended(target: Target, error: ApiError | None) -> None:
        turns.load_ended(target, error)

    loop = asyncio.get_running_loop()
    loads = Loads(Fetcher(Resolver()), lambda _: load_seconds, ended, lambda *_, **__: None, loop.time)
    turns = Turns(lambda call: route_of(call, snapshot()), upstreams.in_flight, rules, loads, loop)
    upstreams.on_freed = turns.freed
    return turns
