from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.listing import Listing
from nexus.gateway.registry.sources.static import StaticSource


async def test_it_lists_what_was_written_down() -> None:
    source = StaticSource((Address("http://a:1"), Address("http://b:2", "Bearer t")))
    assert await source.listings() == (
        Listing("http://a:1", "static"),
        Listing("http://b:2", "static", authorization="Bearer t"),
    )
