"""Databases of both kinds, each new; storages of both kinds, each empty."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from nexus.store.address import BlobAddress
from nexus.store.blobs import Blobs, S3Access
from nexus.store.database import Database
from tests.servers.bucket import KEY, SECRET, Bucket, bucket
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


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(scope="session")
def bucket_of_session() -> Iterator[Bucket]:
    with bucket() as opened:
        yield opened


@pytest.fixture
def s3(bucket_of_session: Bucket) -> Bucket:
    for key in bucket_of_session.names():
        bucket_of_session.client.delete_object(Bucket=bucket_of_session.name, Key=key)
    return bucket_of_session


@pytest.fixture(params=["folder", "s3"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    if request.param == "folder":
        blobs = Blobs(BlobAddress(folder=tmp_path / "files"))
    else:
        s3: Bucket = request.getfixturevalue("s3")
        blobs = Blobs(BlobAddress(bucket=s3.name, prefix="some/where"), S3Access(s3.endpoint, "", KEY, SECRET))
    await blobs.open()
    yield blobs
    await blobs.close()
