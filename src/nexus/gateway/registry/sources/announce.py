"""The source for services that announce themselves, and are forgotten when they no longer do."""

from collections.abc import Callable
from dataclasses import dataclass

from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.listing import Listing


@dataclass(frozen=True, slots=True)
class _Entry:
    address: Address
    expires: float


class TooManyAnnouncedError(Exception):
    """As many instances as are kept have announced themselves already."""


class AnnounceSource:
    """Lists those whose last heartbeat is younger than `lifetime` seconds. `clock` gives seconds, monotonic."""

    name = "announce"

    def __init__(self, lifetime: float, clock: Callable[[], float], *, limit: int = 1024) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._limit = limit
        self._entries: dict[str, _Entry] = {}

    def beat(self, address: Address) -> bool:
        """Take a heartbeat; True where the instance was not listed before. Raises TooManyAnnouncedError."""
        self._expire()
        new = address.url not in self._entries
        if new and len(self._entries) >= self._limit:
            raise TooManyAnnouncedError
        self._entries[address.url] = _Entry(address, self._clock() + self.lifetime)
        return new

    def leave(self, url: str) -> bool:
        """Forget an instance; False where it was not listed."""
        return self._entries.pop(url, None) is not None

    async def listings(self) -> tuple[Listing, ...]:
        self._expire()
        return tuple(
            Listing(url, self.name, authorization=entry.address.authorization) for url, entry in self._entries.items()
        )

    def _expire(self) -> None:
        now = self._clock()
        self._entries = {url: entry for url, entry in self._entries.items() if entry.expires > now}
