"""The same behaviour on a folder and on a bucket, for every method."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nexus.store.address import BlobAddress
from nexus.store.blobs import PIECE, Blobs, S3Access
from nexus.store.errors import BlobError, BlobMissingError
from tests.servers.bucket import KEY, SECRET, Bucket

MB = 1_000_000


async def pieces(count: int, size: int = 700_000, *, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size
    if then is not None:
        raise then


async def read(blobs: Blobs, key: str, start: int, end: int) -> list[bytes]:
    return [piece async for piece in blobs.read(key, start, end)]


async def test_what_is_put_is_got(blobs: Blobs) -> None:
    await blobs.put("jobs/1/request", b"hello")
    await blobs.put("jobs/1/empty", b"")
    assert await blobs.get("jobs/1/request") == b"hello"
    assert await blobs.get("jobs/1/empty") == b""
    assert (await blobs.size("jobs/1/request"), await blobs.size("jobs/1/empty")) == (5, 0)
    await blobs.put("jobs/1/request", b"new")
    assert await blobs.get("jobs/1/request") == b"new"


async def test_what_is_missing_is_told_as_such(blobs: Blobs) -> None:
    assert await blobs.size("nowhere/a") is None
    with pytest.raises(BlobMissingError):
        await blobs.get("nowhere/a")
    with pytest.raises(BlobMissingError):
        await read(blobs, "nowhere/a", 0, 10)


@pytest.mark.parametrize("count", [0, 1, 20])
async def test_a_stream_is_kept_as_a_whole(blobs: Blobs, count: int) -> None:
    assert await blobs.put_stream("files/a", pieces(count)) == count * 700_000
    expected = b"".join([piece async for piece in pieces(count)])
    assert await blobs.get("files/a") == expected


async def test_a_part_is_read_a_piece_at_a_time(blobs: Blobs) -> None:
    await blobs.put_stream("files/a", pieces(10))
    got = await read(blobs, "files/a", 699_999, 3 * MB)
    assert max(map(len, got)) <= PIECE
    assert b"".join(got) == b"".join([piece async for piece in pieces(10)])[699_999 : 3 * MB]
    assert await read(blobs, "files/a", 5, 5) == []


async def test_what_ends_early_is_not_taken_for_whole(blobs: Blobs) -> None:
    await blobs.put("files/a", b"short")
    with pytest.raises(BlobError):
        await read(blobs, "files/a", 0, 100)


@pytest.mark.parametrize("count", [0, 1, 20])
async def test_a_stream_that_fails_leaves_nothing(blobs: Blobs, count: int, tmp_path: Path, s3: Bucket) -> None:
    with pytest.raises(RuntimeError, match="on the way"):
        await blobs.put_stream("files/a", pieces(count, then=RuntimeError("on the way")))
    assert await blobs.size("files/a") is None
    assert (left(tmp_path), s3.names(), s3.unfinished()) == ([], [], [])


async def test_a_stream_that_is_cancelled_leaves_nothing(blobs: Blobs, tmp_path: Path, s3: Bucket) -> None:
    waiting = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for piece in pieces(20):
            yield piece
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(blobs.put_stream("files/a", endless()))
    await waiting.wait()
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert await blobs.size("files/a") is None
    assert (left(tmp_path), s3.names(), s3.unfinished()) == ([], [], [])


async def test_deleting_does_not_mind_what_is_gone(blobs: Blobs) -> None:
    keys = [f"files/{number}" for number in range(12)]
    for key in keys:
        await blobs.put(key, b"x")
    await blobs.delete(["files/none", *keys[:10], "files/none"])
    assert [await blobs.size(key) for key in keys] == [None] * 10 + [1, 1]
    await blobs.delete([])


async def test_a_prefix_is_whole_segments(blobs: Blobs) -> None:
    for key in ("jobs/1/request", "jobs/1/result/a", "jobs/12/request"):
        await blobs.put(key, b"x")
    await blobs.delete_prefix("jobs/1")
    assert [await blobs.size(key) for key in ("jobs/1/request", "jobs/1/result/a", "jobs/12/request")] == [
        None,
        None,
        1,
    ]
    await blobs.delete_prefix("jobs/nowhere")


async def test_many_at_once(blobs: Blobs) -> None:
    await asyncio.gather(*(blobs.put(f"files/{number}", b"%d" % number) for number in range(50)))
    got = await asyncio.gather(*(blobs.get(f"files/{number}") for number in range(50)))
    assert got == [b"%d" % number for number in range(50)]


async def test_nothing_is_done_before_it_is_open(tmp_path: Path) -> None:
    with pytest.raises(BlobError, match="not open"):
        await Blobs(BlobAddress(folder=tmp_path)).get("a")


@pytest.mark.parametrize("bad", ["no bucket", "nobody there", "a file in the way"])
async def test_a_storage_that_cannot_be_used_is_told_in_one_line(bad: str, s3: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    address, endpoint = {
        "no bucket": (BlobAddress(bucket="nowhere"), s3.endpoint),
        "nobody there": (BlobAddress(bucket="nowhere"), "http://127.0.0.1:1"),
        "a file in the way": (BlobAddress(folder=tmp_path / "file" / "files"), ""),
    }[bad]
    with pytest.raises(BlobError) as caught:
        await Blobs(address, S3Access(endpoint, "", KEY, SECRET)).open()
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value) + repr(S3Access(endpoint, "", KEY, SECRET))


def test_a_full_disk_says_so_and_keeps_nothing_half_written(tmp_path: Path) -> None:
    """In a process of its own, whose files may not be larger than some bytes."""
    program = f"""
import asyncio, resource, signal
from pathlib import Path
from nexus.store.address import BlobAddress
from nexus.store.blobs import Blobs
from nexus.store.errors import BlobsFullError

async def many():
    for _ in range(30):
        yield bytes(700_000)

async def main():
    blobs = Blobs(BlobAddress(folder=Path({str(tmp_path)!r})))
    await blobs.open()
    for write in (blobs.put("files/a", bytes(3_000_000)), blobs.put_stream("files/b", many())):
        try:
            await write
        except BlobsFullError:
            print("full")
    await blobs.put("files/c", b"there is room for this")
    await blobs.close()

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "full\nfull\n"), ended.stderr
    assert left(tmp_path) == ["files/c"]


def left(folder: Path) -> list[str]:
    """The files under a folder."""
    return [os.path.relpath(Path(where) / name, folder) for where, _, names in os.walk(folder) for name in names]
