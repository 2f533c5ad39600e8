"""Transactions on SQLite: one that may write is a writer from its beginning, one that only reads holds up nobody."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nexus.store.address import parse_database_url
from nexus.store.engine import READ_ONLY, create_engine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "nexus.db"


@pytest.fixture
async def engine(file: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(parse_database_url(f"sqlite:///{file}"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE things (name TEXT)"))
    yield engine
    await engine.dispose()


def write_beside(file: Path) -> None:
    """Write on a connection of its own that waits for nobody."""
    beside = sqlite3.connect(file, timeout=0)
    try:
        with beside:
            beside.execute("INSERT INTO things VALUES ('beside')")
    finally:
        beside.close()


async def test_a_transaction_that_has_only_read_is_a_writer_already(engine: AsyncEngine, file: Path) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("SELECT * FROM things"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write_beside(file)
        await connection.execute(text("INSERT INTO things VALUES ('ours')"))
    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT name FROM things"))).scalars().all() == ["ours"]


async def test_one_that_only_reads_sees_the_same_all_along_while_others_write(engine: AsyncEngine, file: Path) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(**{READ_ONLY: True})
        async with connection.begin():
            for _ in range(2):
                assert (await connection.execute(text("SELECT name FROM things"))).all() == []
                write_beside(file)
    async with engine.begin() as connection:
        assert len((await connection.execute(text("SELECT name FROM things"))).all()) == 2


async def test_a_file_that_another_turns_to_its_log_meanwhile_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    beside = sqlite3.connect(file, isolation_level=None)
    beside.execute("CREATE TABLE things (name TEXT)")
    beside.execute("BEGIN IMMEDIATE")
    engine = create_engine(parse_database_url(f"sqlite:///{file}"))
    connecting = asyncio.ensure_future(engine.connect().start())
    assert await asyncio.wait([connecting], timeout=0.2) == (set(), {connecting})
    beside.execute("COMMIT")
    connection = await asyncio.wait_for(connecting, 5)
    assert (await connection.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
    await connection.close()
    await engine.dispose()
    beside.close()


def test_an_engine_for_postgresql_connects_only_when_it_is_used() -> None:
    engine = create_engine(parse_database_url("postgresql://ada:secret@127.0.0.1:1/nexus"))
    assert engine.dialect.name == "postgresql"
    assert "secret" not in repr(engine)
