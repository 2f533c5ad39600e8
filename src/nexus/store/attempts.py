"""Attempts to sign in, counted for all gateways that share the database, so that guessing is slow at all of them.

An attempt is charged before it is looked at: of many at once, only so many are looked at as a rule allows.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.conflicts import insert_into
from nexus.store.database import Database
from nexus.store.tables import attempts

FORGOTTEN: Final = 30 * 86400.0
"""Seconds without an attempt after which it is forgotten that there were any."""


@dataclass(frozen=True, slots=True)
class Tried:
    """`failures` since the last success, the last one `at`; the next is not looked at before `until` (Unix seconds)."""

    failures: int = 0
    at: float = 0.0
    until: float = 0.0


Rule = Callable[[Tried, float], Tried]
"""What becomes of what was tried by one more attempt, at a time."""


class Attempts:
    """Counts by key. Every method may raise StoreError. `now` is the clock, in Unix seconds."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def knows(self, key: str) -> bool:
        """Whether something is written under a key."""
        async with self._database.read() as connection:
            return (await connection.execute(select(attempts.c.key).where(attempts.c.key == key))).first() is not None

    async def charge(self, rules: Mapping[str, Rule]) -> float:
        """Count one attempt under each key by its rule: 0. Or none, and the seconds until one will be looked at."""
        keys = sorted(rules)  # in one order everywhere, so that no two wait for each other
        async with self._database.begin() as connection:
            await self._lay_out(connection, keys)
            rows = await connection.execute(
                select(attempts).where(attempts.c.key.in_(keys)).order_by(attempts.c.key).with_for_update()
            )
            tried = {row.key: Tried(row.failures, row.at, row.until) for row in rows}
            now = self._now()
            wait = max(one.until for one in tried.values()) - now
            if wait > 0:
                return wait
            for key in keys:
                after = rules[key](tried[key], now)
                await connection.execute(update(attempts).where(attempts.c.key == key).values(_values(after)))
        return 0.0

    async def settle(self, keys: Sequence[str], known: str) -> None:
        """An attempt was right: nothing was tried under these keys, and something is written under `known`."""
        now = self._now()
        async with self._database.begin() as connection:
            await self._lay_out(connection, sorted((*keys, known)))
            await connection.execute(
                update(attempts).where(attempts.c.key.in_(keys)).values(failures=0, at=now, until=0.0)
            )
            await connection.execute(update(attempts).where(attempts.c.key == known).values(at=now))

    async def _lay_out(self, connection: AsyncConnection, keys: Sequence[str]) -> None:
        """Have a row for each key, and none for what is forgotten."""
        now = self._now()
        await connection.execute(delete(attempts).where(attempts.c.at < now - FORGOTTEN))
        rows = [{"key": key, "failures": 0, "at": now, "until": 0.0} for key in keys]
        await connection.execute(insert_into(attempts, connection).values(rows).on_conflict_do_nothing())


def _values(tried: Tried) -> dict[str, Any]:
    return {"failures": tried.failures, "at": tried.at, "until": tried.until}
