"""All pools by base URL, and how many calls each instance has in flight."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

from nexus.gateway.upstream.address import Address
from nexus.gateway.upstream.pool import Pool

_EXPIRY_INTERVAL: Final = 5.0


class Upstreams:
    """`in_flight` maps an instance's URL to its running calls: what least-busy planning reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pools: dict[str, Pool] = {}
        self._tls_context: ssl.SSLContext | None = None
        self._in_flight: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> Mapping[str, int]:
        return self._in_flight

    def pool(self, url: str) -> Pool:
        """The pool for a base URL, made at its first use."""
        pool = self._pools.get(url)
        if pool is None:
            pool = self._pools[url] = Pool(Address.of(url), self._tls, self._loop)
        return pool

    def enter(self, url: str) -> None:
        """One more call runs at this instance."""
        self._in_flight[url] = self._in_flight.get(url, 0) + 1

    def leave(self, url: str) -> None:
        """One call fewer; an instance without any leaves no trace."""
        left = self._in_flight[url] - 1
        if left:
            self._in_flight[url] = left
        else:
            del self._in_flight[url]

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
