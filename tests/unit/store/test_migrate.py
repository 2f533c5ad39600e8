"""The migrations, forwards and back, on both kinds of database."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Column, Connection, inspect, text
from sqlalchemy.pool import NullPool

from nexus.store.address import parse_database_url
from nexus.store.database import Database
from nexus.store.engine import create_engine
from nexus.store.errors import DatabaseError
from nexus.store.migrate import migrate
from nexus.store.tables import REVISION, metadata

OLDER = "id, kind, token, filename, purpose, media_type, bytes, key, created_at, expires_at"


def to(url: str, revision: str) -> None:
    migrate(create_engine(parse_database_url(url), poolclass=NullPool), revision)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def comparable(_: object, __: object, column: Column[object], *___: object) -> bool | None:
    """Whether a default differs: None leaves it to Alembic. PostgreSQL cannot compare JSON."""
    return False if isinstance(column.type, JSON) else None


def difference(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": comparable}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", "nexus.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


async def test_migrations_make_what_the_code_knows_and_take_it_back(database_url: str, database: Database) -> None:
    async with database.read() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)
        assert await connection.run_sync(difference) == []
    await asyncio.to_thread(to, database_url, "base")
    async with database.read() as connection:
        assert await connection.run_sync(tables) == set()
    await database.open()
    async with database.read() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)


async def test_rows_of_the_version_before_outlive_the_way_there_and_back(database_url: str, database: Database) -> None:
    """As that version writes and reads them, also while the database is a version ahead of it."""

    async def rows() -> list[tuple[object, ...]]:
        async with database.read() as connection:
            return [tuple(row) for row in await connection.execute(text(f"SELECT {OLDER} FROM files ORDER BY seq"))]

    async def write(identity: str) -> tuple[object, ...]:
        row = (identity, "artifact", "ada", "cat.png", "", "image/png", 3, f"artifacts/{identity}", 1.5, 2e9)
        values = dict(zip(OLDER.split(", "), row, strict=True))
        async with database.begin() as connection:
            named = ", ".join(f":{name}" for name in values)
            await connection.execute(text(f"INSERT INTO files ({OLDER}) VALUES ({named})"), values)
        return row

    def columns(connection: Connection) -> set[str]:
        return {column["name"] for column in inspect(connection).get_columns("files")}

    await asyncio.to_thread(to, database_url, "0001")
    async with database.read() as connection:
        assert "job" not in await connection.run_sync(columns)
    older = await write("a")
    await asyncio.to_thread(to, database_url, "0002")
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT job FROM files"))).all() == [(None,)]
    beside = await write("b")
    assert await rows() == [older, beside]
    await asyncio.to_thread(to, database_url, "0001")
    assert await database.revision() == "0001"
    assert await rows() == [older, beside]
    await database.open()
    assert await rows() == [older, beside]


async def test_of_many_that_open_a_new_database_at_once_one_makes_it(database_url: str) -> None:
    many = [Database(database_url) for _ in range(4)]
    await asyncio.gather(*(one.open() for one in many))
    async with many[0].read() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)
    for one in many:
        await one.close()


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nexus.db")
    await database.open()
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="does not fit this version"):
        await database.open()
    await database.close()


async def test_tokens_come_and_go_and_nothing_else_does(database_url: str, database: Database) -> None:
    """The version before goes on beside the newer database, and finds its own as it was after the way back."""

    async def counted() -> int:
        async with database.read() as connection:
            return int((await connection.execute(text("SELECT count(*) FROM files"))).scalar_one())

    row = "('a', 'artifact', 'ada', 'cat.png', '', 'image/png', 3, 'k', 1.5, NULL)"
    async with database.begin() as connection:
        await connection.execute(text(f"INSERT INTO files ({OLDER}) VALUES {row}"))
        assert (await connection.execute(text("SELECT name, version FROM versions ORDER BY name"))).all() == [
            ("tokens", 0),
            ("usage", 0),
        ]
    await asyncio.to_thread(to, database_url, "0002")
    async with database.read() as connection:
        assert await connection.run_sync(tables) == {"jobs", "files"}
    assert await counted() == 1
    await database.open()
    async with database.read() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)
        assert (await connection.execute(text("SELECT name, version FROM versions ORDER BY name"))).all() == [
            ("tokens", 0),
            ("usage", 0),
        ]
    assert await counted() == 1


async def test_what_was_used_comes_and_goes_and_nothing_else_does(database_url: str, database: Database) -> None:
    """The version before goes on beside the newer database, and finds its own as it was after the way back."""

    async def versions() -> list[tuple[object, ...]]:
        async with database.read() as connection:
            found = await connection.execute(text("SELECT name, version FROM versions ORDER BY name"))
            return [tuple(row) for row in found]

    async with database.begin() as connection:
        await connection.execute(text("UPDATE versions SET version = 5"))
        row = "('ada', 'day', 0, 'gateway-1', 86400, 1, 2, 3, 5)"
        await connection.execute(text(f"INSERT INTO usage VALUES {row}"))
    await asyncio.to_thread(to, database_url, "0003")
    async with database.read() as connection:
        assert "usage" not in await connection.run_sync(tables)
    assert await versions() == [("tokens", 5)]
    await database.open()
    async with database.read() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)
        assert (await connection.execute(text("SELECT count(*) FROM usage"))).scalar_one() == 0
    assert await versions() == [("tokens", 5), ("usage", 0)]


async def test_users_come_and_go_with_their_tokens_and_no_others(database_url: str, database: Database) -> None:
    columns = "id, name, sha256, policy, created_at, source"
    async with database.begin() as connection:
        for name, user in (("ci", "NULL"), ("own", "'user-1'")):
            row = f"'token-{name}', '{name}', '{name}', 'default', 1.5, 'api', {user}"
            await connection.execute(text(f'INSERT INTO tokens ({columns}, "user") VALUES ({row})'))
        await connection.execute(
            text("INSERT INTO users (id, name, role, policy, created_at) VALUES ('user-1', 'ada', 'user', 'kids', 1.5)")
        )
    await asyncio.to_thread(to, database_url, "0003")
    async with database.begin() as connection:
        assert await connection.run_sync(tables) == {"jobs", "files", "tokens", "audit", "versions"}
        assert (await connection.execute(text("SELECT name FROM tokens"))).scalars().all() == ["ci"]
        row = "'token-2', 'older', 'older', 'default', 1.5, 'api'"
        await connection.execute(text(f"INSERT INTO tokens ({columns}) VALUES ({row})"))
    await database.open()
    async with database.read() as connection:
        assert await connection.run_sync(tables) == set(metadata.tables)
        found = (await connection.execute(text('SELECT name, "user" FROM tokens ORDER BY seq'))).all()
        assert found == [("ci", None), ("older", None)]
