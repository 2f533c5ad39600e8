"""Users in the database: made, changed and deleted, each with its entry in the audit log and another version.

What a change takes away is taken in its transaction: sessions with a password or with leave to sign in, tokens with the
user. A name stays taken when its user is gone, for jobs and files of that name are still there.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Row, Update, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.audit import entry
from nexus.store.database import Database
from nexus.store.rows import KeptUser
from nexus.store.tables import sessions, tokens, users
from nexus.store.versions import bump

_LIVING: Final = users.c.deleted_at.is_(None)
_TOLD: Final = ("role", "policy", "disabled")


class Users:
    """All users. Every method may raise StoreError.

    `now` is the clock, in Unix seconds; `actor` the name of who asks for a change.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def living(self) -> tuple[KeptUser, ...]:
        """All of them, the oldest first, those too that are disabled."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(users).where(_LIVING).order_by(users.c.seq))
            return tuple(map(_kept, rows))

    async def page(self, *, limit: int, after: str | None = None) -> tuple[tuple[KeptUser, ...], bool] | None:
        """The oldest first, those behind the one of the id `after`, and whether there are more; None: no such id."""
        statement = select(users).where(_LIVING).order_by(users.c.seq).limit(limit + 1)
        async with self._database.read() as connection:
            if after is not None:
                place = (await connection.execute(select(users.c.seq).where(users.c.id == after))).scalar_one_or_none()
                if place is None:
                    return None
                statement = statement.where(users.c.seq > place)
            found = tuple(map(_kept, await connection.execute(statement)))
        return found[:limit], len(found) > limit

    async def find(self, identity: str) -> KeptUser | None:
        """The one of this id or name."""
        return await self._one(or_(users.c.id == identity, users.c.name == identity))

    async def named(self, name: str) -> KeptUser | None:
        """The one of this name."""
        return await self._one(users.c.name == name)

    async def linked(self, issuer: str, subject: str) -> KeptUser | None:
        """The one that this issuer knows under this subject."""
        return await self._one(and_(users.c.issuer == issuer, users.c.subject == subject))

    async def create(self, user: KeptUser, actor: str) -> bool:
        """Keep a new one; False where another has or had its name, or is known to its issuer as the same."""
        values = {
            "id": user.id,
            "name": user.name,
            "role": user.role,
            "policy": user.policy,
            "password": user.password,
            "issuer": user.issuer,
            "subject": user.subject,
            "disabled": user.disabled,
            "created_at": user.created_at,
        }
        try:
            async with self._database.begin() as connection:
                await bump(connection)
                await connection.execute(insert(users).values(values))
                await self._tell(connection, actor, "user.create", user, {one: values[one] for one in _TOLD})
        except IntegrityError:
            return False
        return True

    async def change(self, identity: str, values: Mapping[str, Any], actor: str) -> KeptUser | None:
        """Put these in the place of `role`, `policy` or `disabled`; None where there is no such user."""

        async def further(connection: AsyncConnection, changed: KeptUser) -> None:
            if changed.disabled:
                await connection.execute(_ending_sessions(identity))
            if "policy" in values:
                await connection.execute(_changing_tokens(identity).values(policy=changed.policy))

        return await self._change(identity, dict(values), actor, "user.change", dict(values), further)

    async def set_password(self, identity: str, password: str, actor: str) -> KeptUser | None:
        """Keep another one's hash, and end all sessions; None where there is no such user."""

        async def further(connection: AsyncConnection, _: KeptUser) -> None:
            await connection.execute(_ending_sessions(identity))

        return await self._change(identity, {"password": password}, actor, "user.password", {}, further)

    async def refresh_password(self, identity: str, before: str, after: str) -> None:
        """Keep the same password hashed otherwise, if it is still the one that was hashed so `before`. No change."""
        which = and_(users.c.id == identity, users.c.password == before)
        async with self._database.begin() as connection:
            await connection.execute(update(users).where(which).values(password=after))

    async def delete(self, identity: str, actor: str) -> KeptUser | None:
        """Let this one be known no more, nor any session or token; None where there is no such user."""
        gone = {"deleted_at": self._now(), "password": None, "issuer": None, "subject": None}

        async def further(connection: AsyncConnection, _: KeptUser) -> None:
            await connection.execute(_ending_sessions(identity))
            await connection.execute(_changing_tokens(identity).values(revoked_at=self._now()))

        return await self._change(identity, gone, actor, "user.delete", {}, further)

    async def _change(
        self,
        identity: str,
        values: dict[str, Any],
        actor: str,
        action: str,
        details: dict[str, Any],
        further: Callable[[AsyncConnection, KeptUser], Any],
    ) -> KeptUser | None:
        async with self._database.begin() as connection:
            await bump(connection)
            done = await connection.execute(update(users).where(users.c.id == identity, _LIVING).values(values))
            if not done.rowcount:
                await connection.rollback()
                return None
            changed = _kept((await connection.execute(select(users).where(users.c.id == identity))).one())
            await further(connection, changed)
            await self._tell(connection, actor, action, changed, details)
        return changed

    async def _one(self, which: ColumnElement[bool]) -> KeptUser | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(users).where(which, _LIVING))).one_or_none()
        return None if row is None else _kept(row)

    async def _tell(
        self, connection: AsyncConnection, actor: str, action: str, user: KeptUser, details: Mapping[str, Any]
    ) -> None:
        await connection.execute(entry(self._now(), actor, action, user.id, {"name": user.name, **details}))


def _ending_sessions(identity: str) -> Delete:
    return delete(sessions).where(sessions.c.user == identity)


def _changing_tokens(identity: str) -> Update:
    """Those of a user that are not revoked."""
    return update(tokens).where(tokens.c.user == identity, tokens.c.revoked_at.is_(None))


def _kept(row: Row[Any]) -> KeptUser:
    return KeptUser(
        id=row.id,
        name=row.name,
        role=row.role,
        policy=row.policy,
        created_at=row.created_at,
        password=row.password,
        issuer=row.issuer,
        subject=row.subject,
        disabled=row.disabled,
        signed_in_at=row.signed_in_at,
    )
