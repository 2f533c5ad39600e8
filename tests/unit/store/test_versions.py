"""The number by which gateways learn of a change."""

import asyncio

from nexus.store.database import Database
from nexus.store.versions import USAGE, bump, version


async def test_changes_come_one_after_the_other_and_one_that_is_undone_is_none(database: Database) -> None:
    async def change(undone: bool) -> None:
        async with database.begin() as connection:
            await bump(connection)
            if undone:
                await connection.rollback()

    await asyncio.gather(*(change(number % 2 == 0) for number in range(10)))
    async with database.read() as connection:
        assert await version(connection) == 5


async def test_what_is_used_has_a_number_of_its_own(database: Database) -> None:
    async with database.begin() as connection:
        before = await version(connection, USAGE)
        await bump(connection, USAGE)
        assert await version(connection, USAGE) == before + 1
        assert await version(connection) == 0
