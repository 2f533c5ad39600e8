from nexus.gateway.registry.sources.listing import Listing


def test_listings_are_the_same_where_they_say_the_same() -> None:
    assert Listing("http://a:1", "static") == Listing("http://a:1", "static")
    assert Listing("http://a:1", "static") != Listing("http://a:1", "static", authorization="Bearer t")
