"""The source for addresses that were written down: NEXUS_SERVICES."""

from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.listing import Listing


class StaticSource:
    """Lists the same addresses for ever."""

    name = "static"

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        self._listings = tuple(Listing(one.url, self.name, authorization=one.authorization) for one in addresses)

    async def listings(self) -> tuple[Listing, ...]:
        return self._listings
