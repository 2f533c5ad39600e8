"""All pools, by the instances that they lead to."""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import Final

from nexus.gateway.registry.snapshot import Instance
from nexus.gateway.upstream.pool import Pool

_EXPIRY_INTERVAL: Final = 5.0


class Upstreams:
    """One pool for each instance and the address that its requests go to, made at its first use.

    `on_freed`, which is set before the first use, is told by the instance's URL where a call has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.on_freed: Callable[[str], None] = lambda _: None
        self._loop = loop
        self._pools: dict[str, Pool] = {}
        self._tls_context: ssl.SSLContext | None = None
        self._timer: asyncio.TimerHandle | None = None

    def pool(self, instance: Instance) -> Pool:
        """The pool of an instance; a new one when its data path has moved."""
        pool = self._pools.get(instance.url)
        if pool is None or pool.url != instance.data_path:
            if pool is not None:
                pool.retire()
            pool = self._pools[instance.url] = Pool(
                instance.data_path, self._tls, self._loop, partial(self.on_freed, instance.url)
            )
        return pool

    def in_flight(self, url: str) -> int:
        """How many calls run at the instance with this URL."""
        pool = self._pools.get(url)
        return pool.in_flight if pool else 0

    def loads(self) -> dict[str, int]:
        """The calls in flight of all instances, by URL."""
        return {url: pool.in_flight for url, pool in self._pools.items()}

    def start(self) -> None:
        """Begin to close connections that have been idle too long."""
        self._timer = self._loop.call_later(_EXPIRY_INTERVAL, self._expire)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _expire(self) -> None:
        self._timer = self._loop.call_later(_EXPIRY_INTERVAL, self._expire)
        now = self._loop.time()
        for url, pool in tuple(self._pools.items()):
            if pool.expire(now):
                del self._pools[url]

    def _tls(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = ssl.create_default_context()
        return self._tls_context
