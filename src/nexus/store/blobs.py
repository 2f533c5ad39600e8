"""Bytes under keys, in a folder or in an S3 bucket: the one seam to obstore.

Keys are ours, never a client's. A put is all or nothing: bytes are seen under their key only once all are there. On
local disk that holds through the death of the process; obstore does not fsync, so that a power cut may take the newest
bytes with it. A multipart upload to S3 that a killed process has left is for the bucket's lifecycle rules to remove.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from nexus.store.address import BlobAddress
from nexus.store.errors import BlobError, BlobMissingError, BlobsFullError

PIECE: Final = 256 * 1024
"""The most bytes that a read gives at a time."""

_PART: Final = 5 * 1024 * 1024  # the least that S3 takes as a part
_PARTS_AT_ONCE: Final = 2  # a bound on the memory of an upload
_DELETED_AT_ONCE: Final = 500
_FULL: Final = ("os error 28)", "os error 27)", "os error 122)", "os error 112)")  # no space, too large, over quota
_SETTLE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to reach a bucket. What is empty is looked up where S3's own tools do; `endpoint` is for other vendors'."""

    endpoint: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""

    def __repr__(self) -> str:
        return f"S3Access({self.endpoint!r}, {self.region!r})"


class Blobs:
    """All methods raise BlobError where the storage fails, BlobsFullError where it has no room."""

    def __init__(self, address: BlobAddress, access: S3Access | None = None) -> None:
        self._address = address
        self._access = access or S3Access()
        self._opened: ObjectStore | None = None
        self._used = False

    async def open(self) -> None:
        """Make the folder, or see that the bucket lets itself be read. May be tried again."""
        with _told("the files' storage"):
            store = _make(self._address, self._access)
            await obstore.list(store, ".probe", chunk_size=1).collect_async()
        self._opened = store

    async def close(self) -> None:
        """No call may be under way.

        obstore's threads let go of Python's objects a moment after they have told that they are done; the interpreter
        must not have ended by then, for the process would be aborted.
        """
        if self._used:
            await asyncio.sleep(_SETTLE_SECONDS)

    async def put(self, key: str, data: bytes) -> None:
        """Have `data` under `key`, in the place of what was there."""
        with _told(key):
            await obstore.put_async(self._store, key, data, use_multipart=False)

    async def put_stream(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        """Have all of `pieces` under `key`; how many bytes they were. If they raise, so does this, and nothing is kept.

        A cancelled upload is taken back before the cancellation goes on.
        """
        source = _Source(pieces)
        putting = asyncio.ensure_future(self._put_all(key, source))
        try:
            await asyncio.shield(putting)
        except asyncio.CancelledError:
            source.stop()
            await asyncio.wait((putting,))
            if not putting.cancelled() and putting.exception() is None:
                await self.delete((key,))  # it was complete already
            raise
        return source.size

    async def _put_all(self, key: str, source: "_Source") -> None:
        with _told(key, source):
            await obstore.put_async(
                self._store, key, aiter(source), use_multipart=True, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE
            )

    async def get(self, key: str) -> bytes:
        """All bytes. Raises BlobMissingError."""
        with _told(key):
            answer = await obstore.get_async(self._store, key)
            return bytes(await answer.bytes_async())

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, a piece at a time. Raises BlobMissingError."""
        if start >= end:
            return
        with _told(key):
            answer = await obstore.get_async(self._store, key, options={"range": (start, end)})
            stream = answer.stream(min_chunk_size=PIECE)
        left = end - start
        while left:
            with _told(key):
                chunk = await anext(stream, b"")
            if not chunk:
                raise BlobError(f"{key}: it ended {left} bytes early")
            left -= len(chunk)
            for at in range(0, len(chunk), PIECE):
                yield bytes(chunk[at : at + PIECE])

    async def size(self, key: str) -> int | None:
        """How many bytes are there; None if it does not exist."""
        try:
            with _told(key):
                return (await obstore.head_async(self._store, key))["size"]
        except BlobMissingError:
            return None

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete them; those that are gone already do not matter."""
        wanted = list(keys)
        for at in range(0, len(wanted), _DELETED_AT_ONCE):
            batch = wanted[at : at + _DELETED_AT_ONCE]
            try:
                with _told(batch[0]):
                    await obstore.delete_async(self._store, batch)
            except BlobMissingError:
                await self._delete_singly(batch)  # a folder stops at the first that is missing, and says not which

    async def _delete_singly(self, keys: list[str]) -> None:
        for key in keys:
            try:
                with _told(key):
                    await obstore.delete_async(self._store, key)
            except BlobMissingError:
                continue

    async def delete_prefix(self, prefix: str) -> None:
        """Delete all whose keys lie under `prefix`, whole segments of a path."""
        with _told(prefix):
            listed = [one["path"] async for chunk in obstore.list(self._store, prefix) for one in chunk]
        await self.delete(listed)

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            raise BlobError("the files' storage is not open")
        self._used = True
        return self._opened


class _Source:
    """Counts pieces on their way and can be stopped: what reads them takes that for a failure and takes all back.

    `failure` is what the pieces themselves raised.
    """

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._stopped = asyncio.Event()
        self.size = 0
        self.failure: BaseException | None = None

    def stop(self) -> None:
        self._stopped.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while (piece := await self._next(stopped)) is not None:
                self.size += len(piece)
                yield piece
        except Exception as error:
            self.failure = error
            raise
        finally:
            stopped.cancel()

    async def _next(self, stopped: "asyncio.Task[Literal[True]]") -> bytes | None:
        coming = asyncio.ensure_future(anext(self._pieces, None))
        await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            coming.cancel()
            await asyncio.wait((coming,))
            raise BlobError("the upload was stopped")
        return coming.result()


def _make(address: BlobAddress, access: S3Access) -> ObjectStore:
    if address.folder is not None:
        return LocalStore(address.folder.absolute(), automatic_cleanup=True, mkdir=True)
    named = {
        "endpoint": access.endpoint,
        "region": access.region or ("us-east-1" if access.endpoint else ""),
        "access_key_id": access.access_key_id,
        "secret_access_key": access.secret_access_key,
    }
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        config={name: value for name, value in named.items() if value},  # type: ignore[arg-type]
        client_options={
            "allow_http": access.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=60),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )


@contextmanager
def _told(what: str, source: _Source | None = None) -> Iterator[None]:
    """obstore's errors as ours; a source's own failure as it was. Their first line says what, the rest is for Rust."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissingError(f"{what}: there is no such thing") from error
    except Exception as error:
        if source is not None and source.failure is not None:
            raise source.failure from None
        if not isinstance(error, BaseError | OSError | ValueError):
            raise
        text = str(error)
        reason = text.strip().splitlines()[0] if text.strip() else type(error).__name__
        kind = BlobsFullError if any(code in text for code in _FULL) else BlobError
        raise kind(f"{what}: {reason}") from error
