"""The storage beside the gateway's life: it delays nothing, and what cannot be had is told and tried again."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway import storage
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Opened, Store, opening, refusal
from nexus.store.errors import BlobError, BlobsFullError, DatabaseError, DatabaseFullError
from nexus.store.rows import KeptFile


@pytest.fixture
async def make_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Makes a started store; `logged` gets what it tells."""
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/state/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    monkeypatch.setattr(storage, "RETRY_SECONDS", 0.02)
    stores: list[Store] = []

    def make(logged: list[tuple[str, dict[str, object]]], start: Any = None) -> Store:
        store = Store(start or opening(load_settings()), lambda _, event, **fields: logged.append((event, fields)))
        store.start()
        stores.append(store)
        return store

    yield make
    for store in stores:
        await store.close()


async def test_who_needs_it_waits_for_it(make_store) -> None:
    logged: list[Any] = []
    store = make_store(logged)
    opened = await store.opened()
    assert opened.database.dialect == "sqlite"
    assert await opened.files.find("nowhere", "file") is None
    assert logged == [("storage_opened", {"database": "sqlite"})]


async def test_one_that_cannot_be_opened_is_told_and_tried_again(make_store, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    logged: list[Any] = []
    store = make_store(logged)
    with pytest.raises(ApiError) as caught:
        await store.opened()
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert logged[0][0] == "storage_failed"
    (tmp_path / "state").unlink()
    async with asyncio.timeout(10):
        while not any(event == "storage_opened" for event, _ in logged):
            await asyncio.sleep(0.01)
    assert isinstance(await store.opened(), Opened)


async def test_waiting_has_a_bound(make_store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_SECONDS", 0.05)

    async def never() -> Opened:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(ApiError) as caught:
        await make_store([], never).opened()
    assert caught.value.status == 503


async def test_it_is_swept_again_and_again(make_store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "SWEEP_SECONDS", 0.02)
    logged: list[Any] = []
    opened = await make_store(logged).opened()

    async def keep_expired(name: str) -> None:
        file = KeptFile(name, "file", "ada", "a", "text/plain", 1.0, expires_at=2.0)
        await opened.files.keep(file, b"x")

    async def swept(times: int) -> None:
        async with asyncio.timeout(5):
            while len([1 for event, _ in logged if event == "files_expired"]) < times:
                await asyncio.sleep(0.005)

    await keep_expired("a")
    await swept(1)

    async def fail(_: object) -> None:
        raise BlobError("the bucket is down")

    with monkeypatch.context() as patched:
        patched.setattr(opened.blobs, "delete", fail)
        await keep_expired("b")
        async with asyncio.timeout(5):
            while not any(event == "sweep_failed" for event, _ in logged):
                await asyncio.sleep(0.005)
    await swept(2)
    assert await opened.blobs.size("files/b") is None


def test_what_clients_are_told() -> None:
    told = {type(error): refusal(error).status for error in (DatabaseError("secret"), BlobError("secret"))}
    assert set(told.values()) == {503}
    for full in (BlobsFullError("secret"), DatabaseFullError("secret")):
        assert (refusal(full).status, refusal(full).code) == (507, "insufficient_storage")
        assert "secret" not in refusal(full).message


def test_the_gateway_starts_without_the_libraries_of_the_storage() -> None:
    program = (
        "import sys, nexus.gateway.app; print([m for m in ('sqlalchemy', 'alembic', 'obstore') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
