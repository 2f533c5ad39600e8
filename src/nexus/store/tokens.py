"""Tokens in the database: made, replaced and revoked, each with its entry in the audit log and another version."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.audit import entry
from nexus.store.database import Database
from nexus.store.rows import KeptToken
from nexus.store.tables import tokens
from nexus.store.versions import bump, version

USED_SECONDS: Final = 60.0
"""How old the time of the last use must be to be written again."""

_LIVING: Final = tokens.c.revoked_at.is_(None)


class Tokens:
    """All tokens. Every method may raise StoreError.

    `now` is the clock, in Unix seconds; `actor` the name of who asks for a change.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def version(self) -> int:
        """A number that is another one after each change, and after nothing else."""
        async with self._database.read() as connection:
            return await version(connection)

    async def living(self) -> tuple[int, tuple[KeptToken, ...]]:
        """All that were not revoked, the oldest first, and the version at which they are (at least)."""
        async with self._database.read() as connection:
            at = await version(connection)
            rows = await connection.execute(select(tokens).where(_LIVING).order_by(tokens.c.seq))
            return at, tuple(_kept(row) for row in rows)

    async def of_user(self, user: str) -> tuple[KeptToken, ...]:
        """Those of one user that were not revoked, the oldest first."""
        which = and_(tokens.c.user == user, _LIVING)
        async with self._database.read() as connection:
            return tuple(map(_kept, await connection.execute(select(tokens).where(which).order_by(tokens.c.seq))))

    async def find(self, identity: str) -> KeptToken | None:
        """The one of this id, revoked or not, else the one that goes by this name."""
        for which in (tokens.c.id == identity, and_(tokens.c.name == identity, _LIVING)):
            async with self._database.read() as connection:
                found = await _one(connection, which)
            if found is not None:
                return found
        return None

    async def create(self, token: KeptToken, actor: str) -> bool:
        """Keep a new one; False where one that has not been revoked goes by its name."""
        values = {
            "id": token.id,
            "name": token.name,
            "sha256": token.digest.hex(),
            "owner": token.owner,
            "policy": token.policy,
            "expires_at": token.expires_at,
            "created_at": token.created_at,
            "source": token.source,
            "user": token.user,
        }
        try:
            async with self._database.begin() as connection:
                await bump(connection)
                await connection.execute(insert(tokens).values(values))
                await self._tell(connection, actor, "token.create", token)
        except IntegrityError:
            return False
        return True

    async def rotate(self, identity: str, digest: bytes, actor: str) -> KeptToken | None:
        """Put another secret in the place of a living one's; None where there is none."""
        return await self._change(identity, {"sha256": digest.hex()}, actor, "token.rotate")

    async def revoke(self, identity: str, actor: str) -> KeptToken | None:
        """Let it be known no more; None where there is none that lives."""
        return await self._change(identity, {"revoked_at": self._now()}, actor, "token.revoke")

    async def used(self, times: Mapping[str, float]) -> None:
        """Write when these were used last, by id; each at most once a minute, whoever else does. It is no change."""
        older = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at <= bindparam("at") - USED_SECONDS)
        statement = update(tokens).where(tokens.c.id == bindparam("identity"), older)
        rows = [{"identity": identity, "at": at} for identity, at in times.items()]
        async with self._database.begin() as connection:
            await connection.execute(statement.values(last_used_at=bindparam("at")), rows)

    async def _change(self, identity: str, values: dict[str, Any], actor: str, action: str) -> KeptToken | None:
        which = tokens.c.id == identity
        async with self._database.begin() as connection:
            await bump(connection)
            done = await connection.execute(update(tokens).where(which, _LIVING).values(values))
            if not done.rowcount:
                await connection.rollback()
                return None
            changed = await _one(connection, which)
            assert changed is not None  # noqa: S101 - it was changed just now
            await self._tell(connection, actor, action, changed)
        return changed

    async def _tell(self, connection: AsyncConnection, actor: str, action: str, token: KeptToken) -> None:
        details = {"name": token.name, "owner": token.owner, "policy": token.policy, "expires_at": token.expires_at}
        await connection.execute(entry(self._now(), actor, action, token.id, details))


async def _one(connection: AsyncConnection, which: ColumnElement[bool]) -> KeptToken | None:
    row = (await connection.execute(select(tokens).where(which))).one_or_none()
    return None if row is None else _kept(row)


def _kept(row: Row[Any]) -> KeptToken:
    return KeptToken(
        id=row.id,
        name=row.name,
        digest=bytes.fromhex(row.sha256),
        policy=row.policy,
        created_at=row.created_at,
        owner=row.owner,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        source=row.source,
        user=row.user,
    )
