"""What is asked of Redis, which leases are kept alive there, and what becomes of them while it is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from nexus.gateway.shared.address import parse_redis_url
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.limits import SharedLimits
from nexus.gateway.shared.link import Asked, AskedOutside, Link
from nexus.gateway.shared.opening import open_link
from nexus.gateway.shared.scripts import load_scripts
from nexus.gateway.shared.verdict import LET_IN, TOO_MANY_CALLS, TOO_MANY_REQUESTS
from nexus.gateway.values import ClientGoneError
from nexus.policies.policy import Policy
from tests.servers.caller import Caller
from tests.servers.redis import Redis

SCRIPTS = load_scripts()
BOTH = Policy("p", rpm=5, tpm=100, concurrency=2)


class Door:
    """Opens links to the server, or not."""

    def __init__(self, server: Redis) -> None:
        self.shut = False
        self.link: Link | None = None
        self._open = partial(open_link, parse_redis_url(server.url), SCRIPTS)

    async def __call__(self, lost: Callable[[Link], None]) -> Link:
        if self.shut:
            raise RedisError("the door is shut")
        self.link = await self._open(lost)
        return self.link

    def slam(self) -> None:
        """As when Redis ends."""
        assert self.link is not None
        self.shut = True
        self.link.close("slammed")


@pytest.fixture
def door(redis_server: Redis, looked: Any) -> Door:
    return Door(redis_server)


@pytest.fixture
def told() -> list[tuple[str, dict[str, object]]]:
    return []


def make(door: Door, told: list[tuple[str, dict[str, object]]], lease: float = 300.0) -> SharedLimits:
    def log(level: str, event: str, **fields: object) -> None:
        told.append((event, fields))

    return SharedLimits(door, SCRIPTS, closed=False, lease=lease, log=log)


@pytest.fixture
async def limits(door: Door, told: list[tuple[str, dict[str, object]]]) -> AsyncIterator[SharedLimits]:
    limits = make(door, told)
    running = asyncio.ensure_future(limits.run())
    await limits.settled(10)
    assert limits.up
    yield limits
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not limits.up


async def ask(limits: SharedLimits, policy: Policy = BOTH, estimate: int = 10, name: str = "ada") -> Any:
    """The ticket and the verdict."""
    ticket = limits.ticket(name, leased=bool(policy.concurrency))
    return ticket, await limits.decide(ticket, policy, estimate, AskedOutside())


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def leases(looked: Any) -> set[bytes]:
    return {lease for key in looked.scan_iter("*:calls") for lease in looked.zrange(key, 0, -1)} - {b"probe"}


def total(looked: Any, what: str) -> int:
    return sum(int(looked.hget(key, "total")) for key in looked.scan_iter(f"*:{what}"))


async def test_all_of_it_is_decided_at_once_and_given_back_at_the_end(limits: SharedLimits, looked: Any) -> None:
    ticket, verdict = await ask(limits)
    assert (verdict.decision, verdict.requests, verdict.tokens) == (LET_IN, 1, 10)
    other, verdict = await ask(limits)
    assert (verdict.requests, verdict.tokens) == (2, 20)
    _, verdict = await ask(limits)
    assert verdict.decision == TOO_MANY_CALLS
    assert leases(looked) == {ticket.lease, other.lease}
    assert set().union(*limits.held.values()) == {ticket.lease, other.lease}
    limits.end(ticket, 50)
    limits.end(other, 4)
    await until(lambda: total(looked, "tokens") == 54)
    assert (leases(looked), limits.held, total(looked, "requests")) == (set(), {}, 2)


async def test_names_are_counted_apart_and_bounds_one_by_one(limits: SharedLimits, looked: Any) -> None:
    few = Policy("p", rpm=1)
    assert (await ask(limits, few))[1].decision == LET_IN
    assert (await ask(limits, few))[1].decision == TOO_MANY_REQUESTS
    assert (await ask(limits, few, name="bob"))[1].decision == LET_IN
    assert leases(looked) == set()
    assert not list(looked.scan_iter("*:tokens"))


async def test_who_leaves_while_he_is_decided_on_holds_nothing(
    limits: SharedLimits, looked: Any, caller: Caller
) -> None:
    ticket = limits.ticket("ada", leased=True)
    caller.start(limits.decide(ticket, BOTH, 10, Asked()))
    caller.leave()
    with pytest.raises(ClientGoneError):
        await caller.result()
    await ask(limits, Policy("p", rpm=100))  # what was said before has been heard
    assert (leases(looked), limits.held) == (set(), {})


async def test_a_run_spends_without_asking(limits: SharedLimits, looked: Any) -> None:
    ticket = limits.ticket("ada", leased=False)
    limits.spend(ticket, 30)
    await until(lambda: ticket.slot >= 0)
    assert total(looked, "tokens") == 30
    limits.end(ticket, 12)
    await until(lambda: total(looked, "tokens") == 12)


async def test_while_redis_is_away_it_is_not_asked(
    limits: SharedLimits, door: Door, told: list[tuple[str, dict[str, object]]]
) -> None:
    door.slam()
    assert not limits.up
    ticket, verdict = await ask(limits)
    assert (verdict, ticket.known) == (None, False)
    limits.spend(ticket, 5)
    assert ticket.taken == 0
    await until(lambda: len(told) == 2)
    assert told == [("limits_shared", {}), ("limits_not_shared", {"reason": "slammed", "meanwhile": "local"})]


async def test_when_it_is_back_it_knows_of_who_runs_and_of_who_has_ended(
    limits: SharedLimits, door: Door, looked: Any, told: list[tuple[str, dict[str, object]]]
) -> None:
    (ends, _), (runs, _) = await ask(limits), await ask(limits)
    door.slam()
    began = limits.ticket("bob", leased=True)
    limits.hold(began)
    passed = limits.ticket("bob", leased=True)
    limits.hold(passed)
    limits.end(passed, 5)
    limits.end(ends, 70)
    assert leases(looked) == {ends.lease, runs.lease}
    looked.flushdb()  # a Redis that has forgotten everything is told again
    door.shut = False
    await until(lambda: limits.up)
    await ask(limits, Policy("p", rpm=1))
    assert leases(looked) == {runs.lease, began.lease}
    assert [event for event, _ in told] == ["limits_shared", "limits_not_shared", "limits_shared"]
    limits.end(began, 7)  # Redis had counted none of its tokens
    limits.end(runs, 10)
    await until(lambda: total(looked, "tokens") == 7)
    assert leases(looked) == set()


async def test_leases_are_renewed_while_their_calls_run(door: Door, looked: Any) -> None:
    limits = make(door, [], lease=1)
    running = asyncio.ensure_future(limits.run())
    await limits.settled(10)
    ticket, _ = await ask(limits)
    (key,) = [key for key in looked.scan_iter("*:calls") if looked.zscore(key, ticket.lease)]
    first = looked.zscore(key, ticket.lease)
    await until(lambda: looked.zscore(key, ticket.lease) > first + 1000)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: looked.zscore(key, ticket.lease) < sum(looked.time()) * 1000)


async def test_without_redis_at_the_start(door: Door, told: list[tuple[str, dict[str, object]]]) -> None:
    door.shut = True
    limits = make(door, told)
    running = asyncio.ensure_future(limits.run())
    await limits.settled(10)
    assert not limits.up
    assert told == [("limits_not_shared", {"reason": "the door is shut", "meanwhile": "local"})]
    door.shut = False
    await until(lambda: limits.up)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_start_does_not_wait_for_ever(door: Door) -> None:
    limits = make(door, [])
    async with asyncio.timeout(5):
        await limits.settled(0.01)
    assert not limits.up
