"""Rows and bytes that come and go together."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from nexus.store.blobs import Blobs
from nexus.store.database import Database
from nexus.store.errors import BlobError
from nexus.store.files import Files
from nexus.store.rows import KeptFile
from nexus.store.tables import files as table
from tests.servers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def files(database: Database, blobs: Blobs, clock: Clock) -> Files:
    return Files(database, blobs, clock)


def file(name: str, token: str = "ada", **values: object) -> KeptFile:
    given = {"kind": "file", "filename": f"{name}.txt", "media_type": "text/plain", "created_at": 1.5, **values}
    return KeptFile(id=name, token=token, **given)  # type: ignore[arg-type]


async def rows(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(table.c.id).order_by(table.c.seq))).scalars())


async def broken() -> AsyncIterator[bytes]:
    yield b"some"
    raise RuntimeError("the client has gone")


async def test_a_file_is_kept_with_its_bytes(files: Files, blobs: Blobs) -> None:
    kept = await files.keep(file("a", purpose="batch", expires_at=2e9), b"hello")
    assert kept == file("a", purpose="batch", expires_at=2e9, bytes=5)
    assert await files.find("a", "file") == kept
    assert await files.find("a", "file", "ada") == kept
    assert await files.find("a", "file", "bob") is None
    assert await files.find("a", "artifact") is None
    assert await blobs.get(kept.key) == b"hello"


async def test_an_upload_that_fails_is_seen_by_nobody_and_swept(
    files: Files, database: Database, blobs: Blobs, clock: Clock
) -> None:
    with pytest.raises(RuntimeError, match="gone"):
        await files.keep(file("a"), broken())
    assert await files.find("a", "file") is None
    page = await files.page(None, limit=10)
    assert page is not None
    assert page.files == ()
    assert await files.sweep() == 0  # it might be on its way yet
    clock.now += 3601
    assert await files.sweep() == 1
    assert await rows(database) == []
    assert await blobs.size(file("a").key) is None


async def test_a_list_has_pages_in_the_order_of_arrival(files: Files) -> None:
    for number in range(5):
        await files.keep(
            file(f"f{number}", "bob" if number == 3 else "ada", purpose="ocr" if number else "batch"), b"x"
        )
    await files.keep(file("made", kind="artifact"), b"x")

    async def ids(token: str | None = None, **query: object) -> tuple[list[str], bool] | None:
        page = await files.page(token, **{"limit": 10, **query})  # type: ignore[arg-type]
        return None if page is None else ([one.id for one in page.files], page.has_more)

    assert await ids() == (["f4", "f3", "f2", "f1", "f0"], False)
    assert await ids("ada", newest_first=False) == (["f0", "f1", "f2", "f4"], False)
    assert await ids(limit=2) == (["f4", "f3"], True)
    assert await ids(limit=2, after="f3") == (["f2", "f1"], True)
    assert await ids(limit=2, after="f1") == (["f0"], False)
    assert await ids(after="f1", newest_first=False) == (["f2", "f3", "f4"], False)
    assert await ids(purpose="batch") == (["f0"], False)
    assert await ids(after="nowhere") is None
    assert await ids("ada", after="f3") is None  # somebody else's


async def test_what_is_removed_is_gone_as_a_whole(files: Files, database: Database, blobs: Blobs) -> None:
    kept = await files.keep(file("a"), b"x")
    await files.remove(kept)
    assert await files.find("a", "file") is None
    assert await rows(database) == []
    assert await blobs.size(kept.key) is None
    await files.remove(kept)


async def test_what_has_expired_is_seen_by_nobody_and_swept(
    files: Files, database: Database, blobs: Blobs, clock: Clock
) -> None:
    for number in range(250):
        await files.keep(file(f"f{number}", expires_at=clock.now + 10), b"x")
    await files.keep(file("stays"), b"x")
    assert await files.sweep() == 0
    clock.now += 10
    assert await files.find("f0", "file") is None
    assert await files.page(None, limit=10) is not None
    assert [await files.sweep() for _ in range(3)] == [200, 50, 0]
    assert await rows(database) == ["stays"]
    assert await blobs.size("files/f0") is None
    assert await blobs.size("files/stays") == 1


async def test_bytes_that_cannot_be_deleted_now_are_tried_again(
    files: Files, database: Database, blobs: Blobs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await files.keep(file("a"), b"x")

    async def fail(_: object) -> None:
        raise BlobError("the bucket is down")

    with monkeypatch.context() as patched:
        patched.setattr(blobs, "delete", fail)
        with pytest.raises(BlobError):
            await files.remove(kept)
        with pytest.raises(BlobError):
            await files.sweep()
    assert await files.find("a", "file") is None
    assert await rows(database) == ["a"]
    assert await files.sweep() == 1
    assert await rows(database) == []
    assert await blobs.size(kept.key) is None


async def test_what_is_removed_while_it_is_on_its_way_does_not_come_back(files: Files, database: Database) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        await files.remove(file("a"))
        yield b"x"

    await files.keep(file("a"), pieces())
    assert await files.find("a", "file") is None


async def test_one_of_a_job_that_is_gone_is_not_there(files: Files, blobs: Blobs, clock: Clock) -> None:
    kept = await files.keep(file("a", kind="artifact", job="job_1"), b"x")
    assert await files.find("a", "artifact") is None
    clock.now += 3601
    assert await files.sweep() == 1
    assert await blobs.size(kept.key) is None
