"""Attempts to sign in, counted before they are looked at."""

import asyncio

import pytest
from sqlalchemy import func, select

from nexus.store.attempts import FORGOTTEN, Attempts, Tried
from nexus.store.database import Database
from nexus.store.tables import attempts as table
from tests.servers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def attempts(database: Database, clock: Clock) -> Attempts:
    return Attempts(database, clock)


def third_waits(tried: Tried, now: float) -> Tried:
    """Two cost nothing, each further one ten seconds."""
    failures = tried.failures + 1
    return Tried(failures, now, now + (10.0 if failures > 2 else 0.0))


RULES = {"name": third_waits, "address": third_waits}


async def test_after_some_one_has_to_wait(attempts: Attempts, clock: Clock) -> None:
    assert [await attempts.charge(RULES) for _ in range(4)] == [0.0, 0.0, 0.0, 10.0]
    clock.now += 4
    assert await attempts.charge({"name": third_waits, "other": third_waits}) == 6.0
    assert await attempts.charge({"other": third_waits}) == 0.0  # who waits is not counted anywhere
    assert await attempts.charge({"other": third_waits}) == 0.0
    clock.now += 6
    assert await attempts.charge(RULES) == 0.0


async def test_of_many_at_once_only_so_many_are_looked_at(attempts: Attempts, database: Database, clock: Clock) -> None:
    other = Attempts(database, clock)
    waits = await asyncio.gather(*(one.charge(RULES) for one in (attempts, other) * 6))
    assert sorted(waits) == [0.0] * 3 + [10.0] * 9


async def test_a_right_one_sets_back_and_is_remembered(attempts: Attempts) -> None:
    for _ in range(3):
        await attempts.charge(RULES)
    assert not await attempts.knows("known")
    await attempts.settle(["name"], "known")
    assert await attempts.knows("known")
    assert await attempts.charge({"name": third_waits}) == 0.0
    assert await attempts.charge({"address": third_waits}) == 10.0


async def test_all_is_forgotten_in_the_end(attempts: Attempts, database: Database, clock: Clock) -> None:
    await attempts.charge(RULES)
    await attempts.settle(["name"], "known")
    clock.now += FORGOTTEN + 1
    await attempts.charge({"other": third_waits})
    assert not await attempts.knows("known")
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 1
