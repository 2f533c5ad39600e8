import pytest

from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.announce import AnnounceSource, TooManyAnnouncedError
from nexus.gateway.registry.sources.listing import Listing
from tests.servers.clock import Clock


async def test_it_lists_who_announced_until_the_beats_stop() -> None:
    clock = Clock(1000.0)
    source = AnnounceSource(15, clock)
    assert source.beat(Address("http://a:1", "Bearer t"))
    assert not source.beat(Address("http://a:1", "Bearer t"))
    clock.now += 10
    source.beat(Address("http://b:2"))
    assert await source.listings() == (
        Listing("http://a:1", "announce", authorization="Bearer t"),
        Listing("http://b:2", "announce"),
    )
    clock.now += 5
    assert [one.url for one in await source.listings()] == ["http://b:2"]
    assert source.beat(Address("http://a:1"))


async def test_leaving_is_at_once() -> None:
    source = AnnounceSource(15, Clock(1000.0))
    source.beat(Address("http://a:1"))
    assert source.leave("http://a:1")
    assert not source.leave("http://a:1")
    assert await source.listings() == ()


def test_no_more_are_kept_than_the_limit() -> None:
    clock = Clock(1000.0)
    source = AnnounceSource(15, clock, limit=2)
    source.beat(Address("http://a:1"))
    source.beat(Address("http://b:1"))
    with pytest.raises(TooManyAnnouncedError):
        source.beat(Address("http://c:1"))
    source.beat(Address("http://a:1"))
    clock.now += 16
    source.beat(Address("http://c:1"))
