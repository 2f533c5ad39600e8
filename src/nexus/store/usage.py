"""What tokens have used of their budgets, as each gateway tells it to the others.

A row is all that one process has counted in one period: it alone writes it, and writes it whole, so that a write whose
outcome nobody knows is simply done again. All writes go one after the other, each with a version of its own (a number
in one row, raised first): who has read up to a version misses nothing that comes later.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Insert, Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.conflicts import insert_into
from nexus.store.database import Database
from nexus.store.rows import Amounts, UsedAmounts
from nexus.store.tables import usage
from nexus.store.versions import USAGE, bump, version

_KEY: Final = (usage.c.token, usage.c.period, usage.c.starts_at, usage.c.gateway)
_CHANGING: Final = ("ends_at", "requests", "tokens", "engine_ms", "version")


class Usages:
    """Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def exchange(
        self, gateway: str, counted: Sequence[UsedAmounts], since: int, now: float
    ) -> tuple[int, tuple[UsedAmounts, ...]]:
        """Write what this `gateway` has counted, and read what others have written after the version `since`.

        Returns the version up to which was read, and what is of periods that are not over at `now`. With nothing to
        write, it does not hold up those who have.
        """
        if not counted:
            async with self._database.read() as connection:
                at = await version(connection, USAGE)
                return at, await _told(connection, gateway, since, now) if at != since else ()
        async with self._database.begin() as connection:
            await bump(connection, USAGE)
            at = await version(connection, USAGE)
            await connection.execute(_upsert(connection), [_row(used, at) for used in counted])
            return at, await _told(connection, gateway, since, now)

    async def sweep(self, before: float) -> int:
        """Forget the periods that were over `before` then; how many rows that were."""
        async with self._database.begin() as connection:
            done = await connection.execute(delete(usage).where(usage.c.ends_at < before))
            return done.rowcount


def _upsert(connection: AsyncConnection) -> Insert:
    new = insert_into(usage, connection)
    return new.on_conflict_do_update(index_elements=_KEY, set_={name: new.excluded[name] for name in _CHANGING})


async def _told(connection: AsyncConnection, gateway: str, since: int, now: float) -> tuple[UsedAmounts, ...]:
    wanted = select(usage).where(usage.c.version > since, usage.c.gateway != gateway, usage.c.ends_at > now)
    return tuple(_used(row) for row in await connection.execute(wanted))


def _row(used: UsedAmounts, at: int) -> dict[str, Any]:
    return {
        "token": used.token,
        "period": used.kind,
        "starts_at": used.starts,
        "gateway": used.gateway,
        "ends_at": used.ends,
        "requests": used.amounts.requests,
        "tokens": used.amounts.tokens,
        "engine_ms": round(used.amounts.engine_seconds * 1000),
        "version": at,
    }


def _used(row: Row[Any]) -> UsedAmounts:
    amounts = Amounts(row.requests, row.tokens, row.engine_ms / 1000)
    return UsedAmounts(row.gateway, row.token, row.period, row.starts_at, row.ends_at, amounts)
