"""Each token's questions go to the server that has its keys; whatever one of them lacks ends all links."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from nexus.gateway.shared.address import parse_redis_url
from nexus.gateway.shared.cluster import SLOTS, ClusterLinks, Linked, places_of, slot_of
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.limits import SharedLimits
from nexus.gateway.shared.link import AskedOutside
from nexus.gateway.shared.opening import open_link
from nexus.gateway.shared.resp import Reply
from nexus.gateway.shared.scripts import keys_of, load_scripts
from nexus.policies.policy import Policy
from tests.servers.redis import Redis, redis_cluster, why_not

SCRIPTS = load_scripts()
NAMES = [f"name {number}" for number in range(30)]


@pytest.fixture(scope="module")
def servers() -> Iterator[Sequence[Redis]]:
    if reason := why_not():
        pytest.skip(reason)
    with redis_cluster() as servers:
        yield servers


@pytest.fixture
async def lost() -> list[Linked]:
    return []


@pytest.fixture
async def links(servers: Sequence[Redis], lost: list[Linked]) -> AsyncIterator[ClusterLinks]:
    links = await open_link(parse_redis_url(servers[1].url), SCRIPTS, lost.append)
    assert isinstance(links, ClusterLinks)
    lost.clear()  # the link by which the others were found
    yield links
    links.close("the test ends")


async def take(links: Linked, name: str) -> Reply:
    asked = AskedOutside()
    links.run(SCRIPTS.admit, keys_of(name), (100, 0, 0, 0, b"", 1000), asked)
    await asked
    return asked.reply


async def test_every_token_is_counted_where_its_keys_are(links: ClusterLinks, servers: Sequence[Redis]) -> None:
    for turn in (1, 2):
        for name in NAMES:
            reply = await take(links, name)
            assert isinstance(reply, list)
            assert (reply[0], reply[2]) == (0, turn)
    counted = []
    for server in servers:
        with server.client() as client:
            keys: Any = list(client.scan_iter("*:requests"))
            assert {client.execute_command("CLUSTER", "KEYSLOT", key) for key in keys} <= {
                slot_of(keys_of(name)) for name in NAMES
            }
            counted.append(len(keys))
    assert min(counted) > 0
    assert sum(counted) == len(NAMES)


async def test_all_are_asked_whether_they_are_there_and_one_that_is_not_ends_it(
    links: ClusterLinks, lost: list[Linked], servers: Sequence[Redis]
) -> None:
    servers[2].pause()
    try:
        links.ping()
        async with asyncio.timeout(10):
            while not lost:
                await asyncio.sleep(0.01)
    finally:
        servers[2].proceed()
    assert lost == [links]
    assert (links.closed, links.reason) == (True, "it does not answer in time")
    assert await take(links, "ada") is None


async def test_a_slot_that_has_moved_ends_it_so_that_the_cluster_is_looked_at_anew(
    links: ClusterLinks, lost: list[Linked]
) -> None:
    other = next(name for name in NAMES if links.link_of(keys_of(name)) is not links.link_of(keys_of("ada")))
    asked = AskedOutside()
    links.link_of(keys_of(other)).run(SCRIPTS.settle, keys_of("ada"), (b"lease", 0, 0), asked)
    await asked
    assert asked.reply is None
    assert links.reason.startswith("MOVED ")
    assert lost == [links]


async def test_limits_are_shared_in_a_cluster(servers: Sequence[Redis]) -> None:
    def log(level: str, event: str, **fields: object) -> None:
        assert event == "limits_shared", fields

    async def opened(lost: Any) -> Linked:
        return await open_link(parse_redis_url(servers[0].url), SCRIPTS, lost)

    limits = SharedLimits(opened, SCRIPTS, closed=False, lease=1, log=log)
    running = asyncio.ensure_future(limits.run())
    await limits.settled(10)
    for name in ("a", "b", "c", "d"):
        ticket = limits.ticket(name, leased=True)
        first = await limits.decide(ticket, Policy("p", concurrency=1), 0, AskedOutside())
        again = await limits.decide(limits.ticket(name, leased=True), Policy("p", concurrency=1), 0, AskedOutside())
        assert first is not None
        assert again is not None
        assert (first.decision, again.decision) == (0, 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_address_with_a_database_cannot_be_a_cluster(servers: Sequence[Redis]) -> None:
    with pytest.raises(RedisError, match="SELECT is not allowed"):
        await open_link(parse_redis_url(servers[0].url[:-1] + "3"), SCRIPTS, lambda _: None)


def test_the_slot_is_that_of_the_specification() -> None:
    assert slot_of(b"$20\r\nnexus:{123456789}:a\r\n") == 0x31C3  # from the specification's appendix
    assert 0 <= slot_of(keys_of("ada")) < SLOTS


def test_who_has_which_slot() -> None:
    rows: Reply = [[0, 8191, [b"10.0.0.1", 6379, b"id"], [b"10.0.0.9", 6379, b"id"]], [8192, 16383, [b"", 7000, b"id"]]]
    places = places_of(rows, "seed")
    assert (places[0], places[8191], places[8192], places[-1]) == (
        ("10.0.0.1", 6379),
        ("10.0.0.1", 6379),
        ("seed", 7000),
        ("seed", 7000),
    )


@pytest.mark.parametrize("reply", [None, [], [[0, 100, [b"h", 1, b"id"]]], [[b"x"]]])
def test_slots_that_nobody_has(reply: Reply) -> None:
    with pytest.raises(RedisError, match="no server has"):
        places_of(reply, "seed")


def test_it_ends_once() -> None:
    told: list[Linked] = []
    links = ClusterLinks(told.append)
    links.close("first")
    links.close("second")
    assert (links.reason, told) == ("first", [links])
