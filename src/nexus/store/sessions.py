"""Who is signed in, by the SHA-256 of what the browser has, and which sign-ins are under way at a provider."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus.store.database import Database
from nexus.store.rows import KeptSession, KeptUser
from nexus.store.tables import sessions, sign_ins, users
from nexus.store.versions import bump

OF_A_USER: Final = 50
"""As many sessions has a user; with a further one the oldest ends."""

UNDER_WAY: Final = 10_000
"""As many sign-ins may be under way at providers."""


class Sessions:
    """All sessions. Every method may raise StoreError. `idle`: seconds after which one ends that nobody uses."""

    def __init__(self, database: Database, idle: float, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._idle = idle
        self._now = now

    async def living(self) -> tuple[KeptSession, ...]:
        """Those that have not ended."""
        now = self._now()
        which = and_(sessions.c.expires_at > now, sessions.c.seen_at > now - self._idle)
        async with self._database.read() as connection:
            return tuple(map(_kept, await connection.execute(select(sessions).where(which))))

    async def create(self, session: KeptSession, user: KeptUser, instead: bytes | None = None) -> bool:
        """Begin one, and end the one of the digest `instead`; False where its user may not sign in (any more).

        "Any more" is also after a password that is not the one that `user` came with.
        """
        same = users.c.password.is_(None) if user.password is None else users.c.password == user.password
        may = and_(users.c.id == user.id, users.c.deleted_at.is_(None), users.c.disabled.is_(False), same)
        async with self._database.begin() as connection:
            await bump(connection)
            done = await connection.execute(update(users).where(may).values(signed_in_at=self._now()))
            if not done.rowcount:
                await connection.rollback()
                return False
            await self._make_room(connection, user.id, instead)
            await connection.execute(
                insert(sessions).values(
                    sha256=session.digest.hex(),
                    user=session.user,
                    created_at=session.created_at,
                    expires_at=session.expires_at,
                    seen_at=session.seen_at,
                )
            )
        return True

    async def end(self, digest: bytes) -> None:
        """End one, if it has not ended."""
        async with self._database.begin() as connection:
            await bump(connection)
            await connection.execute(delete(sessions).where(sessions.c.sha256 == digest.hex()))

    async def seen(self, times: Mapping[bytes, float]) -> None:
        """Write when these were used last, by digest: they go on so much longer, at every gateway."""
        later = and_(sessions.c.sha256 == bindparam("digest"), sessions.c.seen_at < bindparam("at"))
        rows = [{"digest": digest.hex(), "at": at} for digest, at in times.items()]
        async with self._database.begin() as connection:
            await bump(connection)
            await connection.execute(update(sessions).where(later).values(seen_at=bindparam("at")), rows)

    async def begin_sign_in(self, digest: bytes, expires_at: float) -> bool:
        """Expect the state of this digest from a provider; False where too many are expected already."""
        async with self._database.begin() as connection:
            await connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= self._now()))
            if (await connection.execute(select(func.count()).select_from(sign_ins))).scalar_one() >= UNDER_WAY:
                return False
            await connection.execute(insert(sign_ins).values(sha256=digest.hex(), expires_at=expires_at))
        return True

    async def finish_sign_in(self, digest: bytes) -> bool:
        """Whether the state of this digest was expected; it is not from then on."""
        which = and_(sign_ins.c.sha256 == digest.hex(), sign_ins.c.expires_at > self._now())
        async with self._database.begin() as connection:
            return bool((await connection.execute(delete(sign_ins).where(which))).rowcount)

    async def _make_room(self, connection: AsyncConnection, user: str, instead: bytes | None) -> None:
        """Forget what has ended, what is replaced, and the oldest where there are too many."""
        now = self._now()
        over = or_(sessions.c.expires_at <= now, sessions.c.seen_at <= now - self._idle)
        if instead is not None:
            over = or_(over, sessions.c.sha256 == instead.hex())
        await connection.execute(delete(sessions).where(over))
        own = select(sessions.c.sha256).where(sessions.c.user == user).order_by(sessions.c.created_at.desc())
        oldest = (await connection.execute(own.offset(OF_A_USER - 1))).scalars().all()
        if oldest:
            await connection.execute(delete(sessions).where(sessions.c.sha256.in_(oldest)))


def _kept(row: Row[Any]) -> KeptSession:
    return KeptSession(bytes.fromhex(row.sha256), row.user, row.created_at, row.expires_at, row.seen_at)
