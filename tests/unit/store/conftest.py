"""Databases of both kinds, each new; storages of both kinds, each empty."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from nexus.store.address import BlobAddress
from nexus.store.blobs import Blobs, S3Access
from nexus.store.database import Database
from tests.servers.bucket import KEY, SECRET, Bucket, bucket


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
