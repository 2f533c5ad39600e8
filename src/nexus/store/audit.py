"""Who did what to what, and when: entries are added in the transaction of what they tell of, and never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Row, insert, select

from nexus.store.database import Database
from nexus.store.rows import AuditEntry
from nexus.store.tables import audit


def entry(at: float, actor: str, action: str, subject: str, details: Mapping[str, Any]) -> Insert:
    """The statement that adds one entry; to be executed where the change itself is made. No secret may be in it."""
    return insert(audit).values(at=at, actor=actor, action=action, subject=subject, details=dict(details))


class Audit:
    """The entries, to be read; and to be added where what they tell of is not in the database. Raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Add these, whatever their `seq` says."""
        async with self._database.begin() as connection:
            for one in entries:
                await connection.execute(entry(one.at, one.actor, one.action, one.subject, one.details))

    async def page(
        self,
        *,
        limit: int,
        before: int | None = None,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
    ) -> tuple[tuple[AuditEntry, ...], bool]:
        """The newest entries first, those older than `before` (a seq), and whether there are more behind them."""
        wanted = {audit.c.actor: actor, audit.c.action: action, audit.c.subject: subject}
        conditions = [column == value for column, value in wanted.items() if value is not None]
        if before is not None:
            conditions.append(audit.c.seq < before)
        statement = select(audit).where(*conditions).order_by(audit.c.seq.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            entries = tuple(_entry(row) for row in await connection.execute(statement))
        return entries[:limit], len(entries) > limit


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(row.seq, row.at, row.actor, row.action, row.subject, row.details)
