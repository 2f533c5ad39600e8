"""The storage beside the gateway's life: opened while it serves already, tried again while it fails, swept, closed.

Nothing here delays the start or a chat: who needs the storage waits for it, and is told when it cannot be had.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nexus.contract.errors import INSUFFICIENT_STORAGE, OVERLOADED, STORAGE_UNAVAILABLE, ApiError
from nexus.gateway.log import Log
from nexus.gateway.settings import Settings
from nexus.store.errors import BlobsFullError, DatabaseFullError, StoreError

if TYPE_CHECKING:
    from nexus.jobs.ledger import Ledger
    from nexus.store.attempts import Attempts
    from nexus.store.audit import Audit
    from nexus.store.blobs import Blobs
    from nexus.store.database import Database
    from nexus.store.files import Files
    from nexus.store.sessions import Sessions
    from nexus.store.tokens import Tokens
    from nexus.store.usage import Usages
    from nexus.store.users import Users

WAIT_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 3.0
SWEEP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Opened:
    """The storage, ready for use."""

    database: "Database"
    blobs: "Blobs"
    files: "Files"
    ledger: "Ledger"
    tokens: "Tokens"
    audit: "Audit"
    users: "Users"
    sessions: "Sessions"
    attempts: "Attempts"
    usages: "Usages"


Opening = Callable[[], Awaitable[Opened]]


def opening(settings: Settings) -> Opening:
    """How to open the storage that the settings name. The libraries are imported then, away from the event loop."""

    async def start() -> Opened:
        module = await asyncio.to_thread(importlib.import_module, "nexus.gateway.opening")
        opened: Opened = await module.open_storage(settings)
        return opened

    return start


class Store:
    """Opens the storage in the background and keeps it swept. `start` it on the loop, `close` it there."""

    def __init__(self, start: Opening, log: Log) -> None:
        self._open = start
        self._log = log
        self._opened: Opened | None = None
        self._tried = asyncio.Event()  # an attempt has ended, this way or that
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="storage")

    async def opened(self) -> Opened:
        """The storage; waits while it is being opened for the first time. Raises ApiError (503)."""
        if self._opened is None:
            try:
                await asyncio.wait_for(self._tried.wait(), WAIT_SECONDS)
            except TimeoutError:
                raise _unavailable() from None
        if self._opened is None:
            raise _unavailable()
        return self._opened

    async def close(self) -> None:
        """End the sweep and close all. Nobody may use the storage any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.blobs.close()
            await opened.database.close()

    async def _run(self) -> None:
        while self._opened is None:
            await self._try()
        while True:
            await self._sweep(self._opened)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _try(self) -> None:
        try:
            self._opened = await self._open()
            self._log("info", "storage_opened", database=self._opened.database.dialect)
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway serves on without a storage
            self._log("error", "storage_failed", reason=str(error) or repr(error), retry_in=RETRY_SECONDS)
        self._tried.set()
        if self._opened is None:
            await asyncio.sleep(RETRY_SECONDS)

    async def _sweep(self, opened: Opened) -> None:
        swept = 0
        try:
            while batch := await opened.files.sweep():
                swept += batch
        except StoreError as error:
            self._log("warning", "sweep_failed", reason=str(error))
        if swept:
            self._log("info", "files_expired", files=swept)


def refusal(error: StoreError) -> ApiError:
    """What a client is told when the storage fails: 507 where there is no room, 503 otherwise. The log has more."""
    if isinstance(error, BlobsFullError | DatabaseFullError):
        return ApiError(INSUFFICIENT_STORAGE, "There is no room left in the storage.")
    return _unavailable()


def _unavailable() -> ApiError:
    message = "The storage cannot be used just now; the gateway's log says why."
    return ApiError(OVERLOADED, message, code=STORAGE_UNAVAILABLE, retry_after=RETRY_SECONDS)
