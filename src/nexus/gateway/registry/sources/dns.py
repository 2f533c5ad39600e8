"""The source for names with many addresses: every A and AAAA record of a name is an instance."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from nexus.gateway.log import Log
from nexus.gateway.registry.address import base_url
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.sources.listing import Listing


@dataclass(frozen=True, slots=True)
class DnsName:
    """One entry of NEXUS_DISCOVERY_DNS: the instances are at `port` of every address of `name`."""

    name: str
    port: int


class DnsSource:
    """Lists the addresses of one name; each name is a source of its own, so that none waits for another.

    A look-up that fails or takes longer than `timeout` seconds leaves the last answer standing for
    `keep` seconds. `clock` gives seconds, monotonic.
    """

    def __init__(
        self, name: DnsName, resolver: Resolver, log: Log, *, timeout: float, keep: float, clock: Callable[[], float]
    ) -> None:
        self.name = f"dns:{name.name}"
        self._name = name
        self._resolver = resolver
        self._log = log
        self._timeout = timeout
        self._keep = keep
        self._clock = clock
        self._answered = 0.0
        self._failing = False
        self._last: tuple[Listing, ...] = ()

    async def listings(self) -> tuple[Listing, ...]:
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await self._resolver.addresses(self._name.name)
        except OSError as error:  # TimeoutError is one of them
            self._missed(str(error) or f"no answer within {self._timeout:g} s")
        else:
            self._answered = self._clock()
            self._failing = False
            self._last = tuple(Listing(base_url(one, self._name.port), self.name) for one in sorted(addresses))
        return self._last

    def _missed(self, reason: str) -> None:
        if not self._failing:
            self._failing = True
            self._log("warning", "name_not_resolved", name=self._name.name, reason=reason)
        if self._clock() - self._answered > self._keep:
            self._last = ()
