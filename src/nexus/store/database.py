"""The database: opened at its newest revision, used in transactions, its faults told as DatabaseError.

Importing this takes a part of a second (SQLAlchemy): it is imported where a database is opened.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from nexus.store.address import parse_database_url
from nexus.store.engine import READ_ONLY, create_engine
from nexus.store.errors import DatabaseError, DatabaseFullError
from nexus.store.tables import REVISION

_FULL: Final = ("disk is full", "No space left on device")  # as SQLite and PostgreSQL say it


class Database:
    """One database by its URL. Open it before use, close it on the same loop. Raises StoreAddressError at once."""

    def __init__(self, url: str) -> None:
        self._address = parse_database_url(url)
        self._engine = create_engine(self._address)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._address.dialect

    async def open(self) -> None:
        """Make the folder, migrate to the newest revision. Raises DatabaseError; may be tried again.

        A database that cannot be reached is waited for here on the loop, where waiting can be cancelled.
        """
        if self._address.file is not None:
            with _told():
                self._address.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if await self.revision() != REVISION:
            await asyncio.to_thread(self._migrate)

    async def revision(self) -> str | None:
        """Which migration the database is at; None where it is none. Raises DatabaseError."""
        async with self.read() as connection:
            return await connection.run_sync(_revision)

    def _migrate(self) -> None:
        from nexus.store.migrate import migrate  # noqa: PLC0415 - Alembic takes 12 MB, which most starts do not need

        with _told():
            migrate(create_engine(self._address, poolclass=NullPool))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write: committed at the block's end, rolled back if it raises.

        Raises DatabaseError; IntegrityError passes as SQLAlchemy's, it is the caller's to know.
        """
        with _told():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; on SQLite it neither waits for writers nor holds them up."""
        with _told():
            async with self._engine.connect() as connection:
                await connection.execution_options(**{READ_ONLY: True})
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        """Close all connections. No transaction may be open."""
        await self._engine.dispose()


def _revision(connection: Connection) -> str | None:
    """Which migration the database is at; None where it is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        reason = _line(error.orig or error)
        kind = DatabaseFullError if any(words in reason for words in _FULL) else DatabaseError
        raise kind(f"the database failed: {reason}") from error
    except (PoolTimeoutError, InterfaceError, PostgresError, OSError) as error:
        raise DatabaseError(f"the database cannot be used: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
