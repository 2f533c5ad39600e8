"""Announcements that one worker tells the others: a service speaks to any of them, and all have to know."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import msgspec

from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.announce import AnnounceSource, TooManyAnnouncedError
from nexus.gateway.registry.watcher import Registry

Answer = Callable[[bytes], Awaitable[bytes]]
KNEW = b"ok"


def announcement(address: Address) -> bytes:
    """What the others are told of a heartbeat."""
    return b"announce " + msgspec.json.encode((address.url, address.authorization))


def leave_taking(url: str) -> bytes:
    """What the others are told of an instance that leaves."""
    return b"leave " + url.encode()


def listeners(registry: Registry, source: AnnounceSource | None) -> Mapping[bytes, Answer]:
    """What a worker does with both."""
    if source is None:
        return {}

    async def announced(told: bytes) -> bytes:
        url, authorization = msgspec.json.decode(told, type=tuple[str, str | None])
        with suppress(TooManyAnnouncedError):
            source.beat(Address(url, authorization))
            registry.announced(url, source.name)
        return b"ok"

    async def left(told: bytes) -> bytes:
        if not source.leave(told.decode()):
            return b"unknown"
        registry.wake(source.name)
        return KNEW

    return {b"announce": announced, b"leave": left}
