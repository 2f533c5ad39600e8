"""Files and artifacts: a row and bytes that come and go together, whatever dies in between.

A file's row is written before its bytes, as an `upload` that nobody sees and that expires; it becomes what it is once
the bytes are there. What is left of one that fails or whose process is killed is swept like anything that has expired.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Update, and_, delete, exists, insert, or_, select, update

from nexus.store.blobs import Blobs
from nexus.store.database import Database
from nexus.store.errors import BlobError
from nexus.store.rows import KeptFile, Kind, Page
from nexus.store.tables import files, jobs

_UPLOAD: Final = "upload"
_REMOVED: Final = "removed"  # no upload: one that is on its way must not bring it back
_UPLOAD_SECONDS: Final = 3600.0
_SWEPT_AT_ONCE: Final = 200


class Files:
    """All files and artifacts. Every method may raise StoreError. `now` is the clock, in Unix seconds."""

    def __init__(self, database: Database, blobs: Blobs, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now

    async def keep(self, file: KeptFile, body: bytes | AsyncIterator[bytes]) -> KeptFile:
        """Keep `file` with these bytes; `file` again, with its size. It is there as a whole or not at all.

        One of a job that is gone by then is not there.
        """
        async with self._database.begin() as connection:
            await connection.execute(insert(files).values(self._draft(file)))
        try:
            async with asyncio.timeout(_UPLOAD_SECONDS / 2):
                size = await self._put(file.key, body)
        except TimeoutError:
            raise BlobError(f"{file.key}: storing it took too long") from None
        there = and_(files.c.id == file.id, files.c.kind == _UPLOAD)
        if file.job is not None:
            there = and_(there, exists(select(jobs.c.id).where(jobs.c.id == file.job)))
        values = {"kind": file.kind, "bytes": size, "expires_at": file.expires_at}
        async with self._database.begin() as connection:
            await connection.execute(update(files).where(there).values(values))
        return replace(file, bytes=size)

    async def _put(self, key: str, body: bytes | AsyncIterator[bytes]) -> int:
        if isinstance(body, bytes):
            await self._blobs.put(key, body)
            return len(body)
        return await self._blobs.put_stream(key, body)

    def _draft(self, file: KeptFile) -> dict[str, Any]:
        return {
            "id": file.id,
            "kind": _UPLOAD,
            "token": file.token,
            "filename": file.filename,
            "purpose": file.purpose,
            "media_type": file.media_type,
            "bytes": 0,
            "key": file.key,
            "created_at": file.created_at,
            "expires_at": self._now() + _UPLOAD_SECONDS,
            "job": file.job,
        }

    async def find(self, identity: str, kind: Kind, token: str | None = None) -> KeptFile | None:
        """One that has not expired, of this token (None: of any)."""
        async with self._database.read() as connection:
            found = await connection.execute(select(files).where(files.c.id == identity, *self._seen(kind, token)))
            row = found.one_or_none()
        return None if row is None else _kept(row)

    async def page(
        self,
        token: str | None,
        *,
        purpose: str | None = None,
        limit: int,
        newest_first: bool = True,
        after: str | None = None,
    ) -> Page | None:
        """The uploaded files in the order of their arrival, behind the one named `after`; None where that is none."""
        conditions = self._seen("file", token)
        if purpose is not None:
            conditions.append(files.c.purpose == purpose)
        async with self._database.read() as connection:
            if after is not None:
                known = select(files.c.seq).where(files.c.id == after, *self._seen("file", token))
                seq = (await connection.execute(known)).scalar_one_or_none()
                if seq is None:
                    return None
                conditions.append(files.c.seq < seq if newest_first else files.c.seq > seq)
            order = files.c.seq.desc() if newest_first else files.c.seq
            rows = await connection.execute(select(files).where(*conditions).order_by(order).limit(limit + 1))
            kept = tuple(_kept(row) for row in rows)
        return Page(kept[:limit], len(kept) > limit)

    async def remove(self, file: KeptFile) -> None:
        """Forget it: hidden first, so that nobody finds it half gone; what then fails is left to the sweep."""
        async with self._database.begin() as connection:
            await connection.execute(hiding(files.c.id == file.id, self._now()))
        await self._delete({file.id: file.key})

    async def sweep(self) -> int:
        """Delete some of what has expired, bytes first; how many they were, 0 when there are none left."""
        expired = select(files.c.id, files.c.key).where(files.c.expires_at <= self._now())
        async with self._database.read() as connection:
            rows = await connection.execute(expired.order_by(files.c.expires_at).limit(_SWEPT_AT_ONCE))
            keys: dict[str, str] = {row.id: row.key for row in rows}
        if keys:
            await self._delete(keys)
        return len(keys)

    async def _delete(self, keys: dict[str, str]) -> None:
        await self._blobs.delete(keys.values())
        async with self._database.begin() as connection:
            await connection.execute(delete(files).where(files.c.id.in_(keys)))

    def _seen(self, kind: Kind, token: str | None) -> list[ColumnElement[bool]]:
        conditions = [files.c.kind == kind, or_(files.c.expires_at.is_(None), files.c.expires_at > self._now())]
        if token is not None:
            conditions.append(files.c.token == token)
        return conditions


def hiding(which: ColumnElement[bool], now: float) -> Update:
    """The statement after which nobody finds these any more; their bytes and rows are the next sweep's."""
    return update(files).where(which).values(kind=_REMOVED, expires_at=now)


def _kept(row: Row[Any]) -> KeptFile:
    return KeptFile(
        id=row.id,
        kind=row.kind,
        token=row.token,
        filename=row.filename,
        media_type=row.media_type,
        created_at=row.created_at,
        expires_at=row.expires_at,
        purpose=row.purpose,
        bytes=row.bytes,
        job=row.job,
    )
