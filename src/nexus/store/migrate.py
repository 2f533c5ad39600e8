"""Brings a database to a revision, forwards or back, in one transaction that only one process has at a time."""

import asyncio
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from nexus.store.errors import DatabaseError

_LOCK: Final = 0x6E65787573  # PostgreSQL's advisory locks are numbers; SQLite locks the whole file anyway


def migrate(engine: AsyncEngine, revision: str = "head") -> None:
    """Blocks until `engine`'s database is at `revision`, which may lie back; `base` empties it.

    For a thread without a running loop. Raises DatabaseError for a database that is newer than this code, and what
    SQLAlchemy and its drivers raise.
    """
    try:
        asyncio.run(_migrate(engine, revision))
    except CommandError as error:
        raise DatabaseError(f"the database does not fit this version: {error}") from error


async def _migrate(engine: AsyncEngine, revision: str) -> None:
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_walk, revision)
    finally:
        await engine.dispose()


def _walk(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "nexus.store:migrations")
    config.set_main_option("path_separator", "os")
    if _is_past(connection, config, revision):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _is_past(connection: Connection, config: Config, revision: str) -> bool:
    """Whether it is back that `revision` lies; not where the database is at one that is unknown here."""
    now = MigrationContext.configure(connection).get_current_revision()
    if now is None or revision == "base":
        return now is not None
    newest_first = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    return now in newest_first and revision in newest_first[newest_first.index(now) + 1 :]
