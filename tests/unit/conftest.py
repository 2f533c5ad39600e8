"""Databases of both kinds, each new; PostgreSQL is started once, and only where it is asked for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.servers.postgres import new_name, postgres, why_not


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if reason := why_not():
        pytest.skip(reason)
    with postgres() as place:
        yield place


@pytest.fixture
async def postgres_url(postgres_server: str) -> AsyncIterator[str]:
    name = new_name()
    connection = await asyncpg.connect(f"postgresql://{postgres_server}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield f"postgresql://{postgres_server}/{name}"
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/nexus.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
