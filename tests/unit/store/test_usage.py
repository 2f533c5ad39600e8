"""What is used, as gateways tell it to each other through the database."""

import asyncio
from dataclasses import replace

import pytest

from nexus.store.database import Database
from nexus.store.rows import Amounts, UsedAmounts
from nexus.store.usage import Usages

DAY = 86_400.0


@pytest.fixture
def usages(database: Database) -> Usages:
    return Usages(database)


def used(gateway: str = "a", requests: int = 1, *, token: str = "ada", starts: float = 0.0) -> UsedAmounts:
    return UsedAmounts(gateway, token, "day", starts, starts + DAY, Amounts(requests, 2_000_000_000_000, 1.234))


async def read(usages: Usages, gateway: str = "z", since: int = -1, now: float = 5.0) -> set[UsedAmounts]:
    return set((await usages.exchange(gateway, [], since, now))[1])


async def test_what_one_writes_the_others_read_and_it_does_not(usages: Usages) -> None:
    mine = [used(), used(token="bob")]
    version, told = await usages.exchange("a", mine, -1, 5.0)
    assert told == ()
    assert await read(usages) == set(mine)
    assert await read(usages, "a") == set()
    assert await usages.exchange("b", [used("b", 7)], -1, 5.0) == (version + 1, tuple(mine))


async def test_written_again_it_is_what_it_was(usages: Usages) -> None:
    for _ in range(3):
        await usages.exchange("a", [used(requests=4)], -1, 5.0)
    assert await read(usages) == {used(requests=4)}
    await usages.exchange("a", [used(requests=9)], -1, 5.0)
    assert await read(usages) == {used(requests=9)}


async def test_only_what_has_changed_since_is_read(usages: Usages) -> None:
    first, _ = await usages.exchange("a", [used(), used(token="bob")], -1, 5.0)
    assert await usages.exchange("z", [], first, 5.0) == (first, ())
    second, _ = await usages.exchange("a", [used(requests=2)], first, 5.0)
    assert await usages.exchange("z", [], first, 5.0) == (second, (used(requests=2),))
    assert await read(usages, since=second) == set()


async def test_periods_that_are_over_are_not_read_and_forgotten_later(usages: Usages) -> None:
    await usages.exchange("a", [used(), used(starts=DAY)], -1, 5.0)
    assert await read(usages, now=DAY - 1) == {used(), used(starts=DAY)}
    assert await read(usages, now=DAY) == {used(starts=DAY)}
    assert await usages.sweep(DAY) == 0
    assert await usages.sweep(DAY + 1) == 1
    assert await read(usages) == {used(starts=DAY)}


async def test_of_many_that_write_at_once_nothing_is_missed(usages: Usages, database_url: str) -> None:
    """Each reads on from where it was, while the others write; in the end each knows all that the others have."""
    databases = [Database(database_url) for _ in range(3)]
    known: list[dict[tuple[str, str], UsedAmounts]] = [{} for _ in databases]
    since = [-1 for _ in databases]

    async def exchange(at: int, *mine: UsedAmounts) -> None:
        since[at], told = await Usages(databases[at]).exchange(f"g{at}", mine, since[at], 5.0)
        known[at] |= {(one.gateway, one.token): one for one in told}

    async def live(at: int) -> None:
        for turn in range(1, 9):
            await exchange(at, used(f"g{at}", turn), used(f"g{at}", turn, token=f"only-{turn % 2}"))
            await exchange(at)

    await asyncio.gather(*(live(at) for at in range(3)))
    for at in range(3):
        await exchange(at)
        others = {f"g{one}" for one in range(3)} - {f"g{at}"}
        last = {"ada": 8, "only-0": 8, "only-1": 7}
        assert known[at] == {
            (gateway, token): replace(used(gateway, requests), token=token)
            for gateway in others
            for token, requests in last.items()
        }
    for one in databases:
        await one.close()
