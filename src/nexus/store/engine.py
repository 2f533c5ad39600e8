"""SQLAlchemy's engine for our two kinds of database, with SQLite's transactions put in order."""

import asyncio
import sqlite3
import time
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from nexus.store.address import DatabaseAddress

READ_ONLY: Final = "nexus_read_only"
"""The execution option of a transaction that only reads."""

_BUSY_SECONDS: Final = 10
_TURN_SECONDS: Final = 0.02
_PRIMARY_CODE: Final = 0xFF
_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)


def create_engine(address: DatabaseAddress, **options: Any) -> AsyncEngine:
    """An engine that has not connected yet; `options` are SQLAlchemy's."""
    if address.dialect != "sqlite":
        connect_args = {"timeout": _BUSY_SECONDS, "command_timeout": 60}
        return create_async_engine(address.url, connect_args=connect_args, pool_pre_ping=True, **options)
    engine = create_async_engine(
        address.url, connect_args={"isolation_level": None, "timeout": _BUSY_SECONDS}, **options
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.run_async(_write_ahead)
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


async def _write_ahead(driver: Any) -> None:
    """Turn to a write-ahead log, which the file remembers.

    Of two that turn a new file at once SQLite refuses one without waiting, as neither would give way:
    https://www.sqlite.org/c3ref/busy_handler.html
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            await driver.execute_fetchall("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            await asyncio.sleep(_TURN_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    """Begin as a writer at once.

    Python's driver would begin with the first write, and a transaction that has read before is refused then if another
    has written meanwhile, however long it would wait.
    """
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
