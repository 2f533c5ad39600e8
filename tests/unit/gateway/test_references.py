"""Bytes of uploaded files in the place of their ids, each token's own, within bounds."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway import references as module
from nexus.gateway.references import References
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Opened, Store, opening
from nexus.store.errors import BlobError
from nexus.store.rows import KeptFile

PICTURE = "data:image/png;base64,cGljdHVyZQ=="
TEXT = "data:text/plain;base64,dGV4dA=="


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    store = Store(opening(load_settings()), lambda *_, **__: None)
    store.start()
    opened = await store.opened()
    for identity, media_type, body in (("file-1", "image/png", b"picture"), ("file-2", "text/plain", b"text")):
        await opened.files.keep(KeptFile(identity, "file", "ada", "a", media_type, 1.0), body)
    await opened.files.keep(KeptFile("made", "artifact", "ada", "a", "image/png", 1.0), b"artifact")
    yield store
    await store.close()


@pytest.fixture
def references(store: Store) -> References:
    return References(store, "root")


async def filled(references: References, value: Any, token: str = "ada") -> Any:
    return json.loads(await references(json.dumps(value).encode(), token))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"file_id": "file-1"}, {"image_url": PICTURE}),
        ({"file_id": "file-1", "type": "file"}, {"type": "image_url", "image_url": PICTURE}),
        ({"file_id": "file-2", "type": "file"}, {"type": "document_url", "document_url": TEXT}),
        ({"file_id": "file-2", "type": "document_url"}, {"type": "document_url", "document_url": TEXT}),
        (
            {"file_id": "file-1", "type": "image_url", "detail": 5},
            {"type": "image_url", "detail": 5, "image_url": PICTURE},
        ),
    ],
)
async def test_a_file_is_a_data_url_under_the_key_that_its_place_wants(
    references: References, given: Any, told: Any
) -> None:
    assert await filled(references, {"model": "m", "document": given}) == {"model": "m", "document": told}


async def test_every_place_is_filled_and_all_else_stays(references: References) -> None:
    value = {"images": [{"file_id": "file-1"}, {"image_url": "x"}, {"file_id": "file-1"}], "file_id": 7, "n": 1.5}
    assert await filled(references, value) == {
        "images": [{"image_url": PICTURE}, {"image_url": "x"}, {"image_url": PICTURE}],
        "file_id": 7,
        "n": 1.5,
    }


async def test_beyond_reason_nothing_is_looked_for(references: References) -> None:
    value: Any = {"file_id": "nowhere"}
    for _ in range(40):
        value = {"a": value}
    assert await filled(references, value) == value


@pytest.mark.parametrize(("token", "identity"), [("bob", "file-1"), ("ada", "file-9"), ("ada", "made"), ("ada", "")])
async def test_a_file_that_is_not_there_for_the_caller_is_404(
    references: References, token: str, identity: str
) -> None:
    with pytest.raises(ApiError) as caught:
        await filled(references, {"document": {"file_id": identity}}, token)
    assert (caught.value.status, caught.value.param) == (404, "file_id")


async def test_the_administrator_sees_all(references: References) -> None:
    assert await filled(references, [{"file_id": "file-1"}], "root") == [{"image_url": PICTURE}]


async def test_so_many_files_may_be_named_and_no_more(references: References) -> None:
    named = {"file_id": "file-2"}
    assert len(await filled(references, [named] * module.MOST)) == module.MOST
    with pytest.raises(ApiError, match="100 files, not 101") as caught:
        await filled(references, [named] * (module.MOST + 1))
    assert (caught.value.status, caught.value.param) == (400, "file_id")


async def test_the_files_of_one_request_are_bounded_together(
    references: References, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 14)
    assert len(await filled(references, [{"file_id": "file-1"}, {"file_id": "file-1"}])) == 2
    with pytest.raises(ApiError) as caught:
        await filled(references, [{"file_id": "file-1"}, {"file_id": "file-1"}, {"file_id": "file-2"}])
    assert (caught.value.status, caught.value.param) == (413, "file_id")


@pytest.mark.parametrize("body", [b"", b"{", b'{"file_id":"\xff"}', b"[" * 5000 + b"]" * 5000])
async def test_what_is_no_json_is_400(references: References, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        await references(body, "ada")
    assert caught.value.status == 400


async def test_a_storage_that_fails_is_503_and_shows_nothing_of_it(store: Store) -> None:
    opened = await store.opened()

    class Away(type(opened.blobs)):  # type: ignore[misc]
        async def get(self, key: str) -> bytes:
            raise BlobError("secret-endpoint is down")

    away: Opened = replace(opened, blobs=Away(load_settings().files_url))

    class Half:
        async def opened(self) -> Opened:
            return away

    with pytest.raises(ApiError) as caught:
        await References(Half(), "root")(b'{"file_id":"file-1"}', "ada")  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert "secret" not in caught.value.message
