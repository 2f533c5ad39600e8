import asyncio
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from nexus.store.database import Database
from nexus.store.errors import DatabaseError, DatabaseFullError
from nexus.store.tables import files

ROW = {
    "id": "file-1",
    "kind": "file",
    "token": "ada",
    "filename": "a",
    "media_type": "text/plain",
    "bytes": 2**40,
    "key": "files/file-1",
    "created_at": 1700000000.123456,
}


async def connections_ended() -> None:
    """aiosqlite does not wait for the thread of a connection that failed; the loop must outlive it."""
    async with asyncio.timeout(5):
        while any("_connection_worker_thread" in thread.name for thread in threading.enumerate()):
            await asyncio.sleep(0.005)


async def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(files).values(ROW))
    with pytest.raises(RuntimeError, match="on the way"):  # noqa: PT012 - one transaction
        async with database.begin() as connection:
            await connection.execute(update(files).values(token="bob"))
            raise RuntimeError("on the way")
    async with database.read() as connection:
        row = (await connection.execute(select(files))).one()
    assert (row.seq, row.token, row.bytes, row.created_at, row.purpose) == (1, "ada", 2**40, 1700000000.123456, "")
    assert row.expires_at is None


async def test_what_breaks_a_rule_is_told_as_such(database: Database) -> None:
    with pytest.raises(IntegrityError):  # noqa: PT012
        async with database.begin() as connection:
            await connection.execute(insert(files).values(ROW))
            await connection.execute(insert(files).values(ROW))


async def test_those_who_read_and_then_write_do_not_trip_over_one_another(database: Database) -> None:
    """On SQLite they would be refused at once had they begun as readers; PostgreSQL locks the row."""
    async with database.begin() as connection:
        await connection.execute(insert(files).values(ROW))

    async def count() -> None:
        for _ in range(10):
            async with database.begin() as connection:
                before = (await connection.execute(select(files.c.bytes).with_for_update())).scalar_one()
                await connection.execute(update(files).values(bytes=before + 1))

    await asyncio.gather(*(count() for _ in range(8)))
    async with database.read() as connection:
        assert (await connection.execute(select(files.c.bytes))).scalar_one() == 2**40 + 80


async def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    async with database.begin() as writer:
        await writer.execute(insert(files).values(ROW))
        async with asyncio.timeout(2), database.read() as connection:
            assert (await connection.execute(select(files))).all() == []


async def test_a_cancelled_transaction_leaves_nothing_and_locks_nothing(database: Database) -> None:
    began = asyncio.Event()

    async def stay() -> None:
        async with database.begin() as connection:
            await connection.execute(insert(files).values(ROW))
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    await began.wait()
    task.cancel()
    await asyncio.wait((task,))
    async with asyncio.timeout(2), database.begin() as connection:
        assert (await connection.execute(select(files))).all() == []


async def test_sqlite_is_set_up_and_its_folder_is_the_owners_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state/nexus.db")
    await database.open()
    assert database.dialect == "sqlite"
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    async with database.read() as connection:
        pragmas = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 1, 1, 10000]
    await database.close()


async def test_what_was_committed_survives_the_death_of_the_process(tmp_path: Path) -> None:
    program = f"""
import asyncio, os
from sqlalchemy import insert
from nexus.store.database import Database
from nexus.store.tables import files

async def main():
    database = Database("sqlite:///{tmp_path}/nexus.db")
    await database.open()
    async with database.begin() as connection:
        await connection.execute(insert(files).values({ROW!r}))
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -9
    database = Database(f"sqlite:///{tmp_path}/nexus.db")
    await database.open()
    async with database.read() as connection:
        assert (await connection.execute(select(files.c.id))).scalars().all() == ["file-1"]
    await database.close()


async def test_a_path_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "nexus.db", tmp_path):
        database = Database(f"sqlite:///{path}")
        with pytest.raises(DatabaseError) as caught:
            await database.open()
        assert "\n" not in str(caught.value)
        await database.close()
        await connections_ended()


async def test_a_full_database_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nexus.db")
    await database.open()
    with pytest.raises(DatabaseFullError):  # noqa: PT012
        async with database.begin() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            await connection.execute(insert(files).values({**ROW, "filename": "x" * 1_000_000}))
    async with database.read() as connection:
        assert (await connection.execute(select(files))).all() == []
    await database.close()


@pytest.mark.parametrize("where", ["127.0.0.1:1", "wrong-password", "no-such-database"])
async def test_a_postgresql_that_cannot_be_had_is_told_without_its_password(postgres_server: str, where: str) -> None:
    address = postgres_server.rpartition("@")[2]
    url = {
        "127.0.0.1:1": "postgresql://me:hidden@127.0.0.1:1/nexus",
        "wrong-password": f"postgresql://nexus:hidden@{address}/postgres",
        "no-such-database": f"postgresql://{postgres_server}/nowhere",
    }[where]
    database = Database(url)
    with pytest.raises(DatabaseError) as caught:
        await database.open()
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)
    await database.close()


def test_nothing_is_imported_of_alembic_where_nothing_is_to_be_migrated() -> None:
    program = "import sys, nexus.store.database; print('alembic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert told.stdout == "False\n"
