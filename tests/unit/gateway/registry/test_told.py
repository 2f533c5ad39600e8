"""What one worker is told of an announcement, another does."""

import time
from typing import Any

from nexus.gateway.registry.address import parse_address
from nexus.gateway.registry.sources.announce import AnnounceSource
from nexus.gateway.registry.told import KNEW, announcement, leave_taking, listeners


class Registry:
    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []

    def announced(self, *told: str) -> None:
        self.heard.append(told)

    def wake(self, *told: str) -> None:
        self.heard.append(told)


async def test_a_heartbeat_and_a_leave_taking() -> None:
    source, registry = AnnounceSource(15, time.monotonic, limit=1), Registry()
    answers: Any = listeners(registry, source)  # type: ignore[arg-type]

    async def tell(what: bytes) -> bytes:
        word, _, rest = what.partition(b" ")
        answer: bytes = await answers[word](rest)
        return answer

    address = parse_address("http://:secret@box:8000")
    assert await tell(announcement(address)) == b"ok"
    (listing,) = await source.listings()
    assert (listing.url, listing.authorization) == ("http://box:8000", "Bearer secret")
    assert await tell(announcement(parse_address("http://one-too-many"))) == b"ok"
    assert await tell(leave_taking(address.url)) == KNEW
    assert await source.listings() == ()
    assert await tell(leave_taking(address.url)) != KNEW
    assert registry.heard == [("http://box:8000", "announce"), ("announce",)]


def test_where_nobody_may_announce_there_is_nothing_to_hear() -> None:
    assert listeners(Registry(), None) == {}  # type: ignore[arg-type]
