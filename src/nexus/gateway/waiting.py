"""Joins the queue with those who know of services, places and models."""

import asyncio
from collections.abc import Callable

from nexus.contract.errors import ApiError
from nexus.gateway.log import Log
from nexus.gateway.queue.loads import Loads
from nexus.gateway.queue.turns import Turns
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.routes import route_of
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import QueueRules
from nexus.gateway.views import Views


def create_turns(
    registry: Registry,
    upstreams: Upstreams,
    views: Views,
    rules: Callable[[], QueueRules],
    load_seconds: Callable[[str], float],
    log: Log,
) -> Turns:
    """The queue, told of places that come free and of snapshots; `load_seconds` is how long a model's load may take."""

    def ended(target: Target, error: ApiError | None) -> None:
        registry.card_changed(target.instance.url)
        turns.load_ended(target, error)

    loop = asyncio.get_running_loop()
    turns = Turns(
        route=lambda call: route_of(call, views.of(call.request.head.bearer.policy)),
        in_flight=upstreams.in_flight,
        rules=rules,
        loads=Loads(Fetcher(Resolver()), load_seconds, ended, log, loop.time),
        loop=loop,
    )
    upstreams.on_freed = turns.freed
    registry.on_change = turns.changed
    return turns
