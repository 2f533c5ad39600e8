"""/v1/files: OpenAI's shape, each token's own files, and what is refused."""

import time
from pathlib import Path
from typing import Any

import pytest

from nexus.store.errors import BlobError, BlobsFullError, DatabaseError

ADA = {"authorization": "Bearer sk-ada"}
BOB = {"authorization": "Bearer sk-bob"}


async def upload(gateway, body: bytes = b"hello", name: str = "a.txt", headers: Any = ADA, **fields: str) -> Any:
    data = {"purpose": "user_data", **fields}
    return await gateway.client.post("/v1/files", files={"file": (name, body)}, data=data, headers=headers)


async def test_a_file_is_told_in_openais_shape(gateway) -> None:
    before = int(time.time())
    answer = await upload(gateway, **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"})
    assert answer.status_code == 200
    told = answer.json()
    assert told["id"].startswith("file-")
    assert before <= told["created_at"] <= time.time()
    assert told == {
        "id": told["id"],
        "object": "file",
        "bytes": 5,
        "created_at": told["created_at"],
        "expires_at": told["created_at"] + 3600,
        "filename": "a.txt",
        "purpose": "user_data",
        "status": "processed",
    }
    assert (await gateway.client.get(f"/v1/files/{told['id']}", headers=ADA)).json() == told


async def test_its_content_is_read_back_whole_or_in_part(gateway) -> None:
    body = bytes(range(256)) * 10_000
    identity = (await upload(gateway, body)).json()["id"]
    path = f"/v1/files/{identity}/content"
    answer = await gateway.client.get(path, headers=ADA)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["content-disposition"] == 'attachment; filename="a.txt"'
    assert answer.headers["content-type"].startswith("text/plain")
    answer = await gateway.client.get(path, headers={**ADA, "range": "bytes=1000-1999"})
    assert (answer.status_code, answer.content) == (206, body[1000:2000])


async def test_each_token_sees_its_own_and_the_administrator_all(gateway) -> None:
    identity = (await upload(gateway)).json()["id"]
    theirs = (await upload(gateway, headers=BOB)).json()["id"]
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answer = await gateway.client.request(method, f"/v1/files/{identity}{path}", headers=BOB)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert (await gateway.client.get(f"/v1/files/{identity}", headers={"authorization": ""})).status_code == 401
    listed = {
        who: [one["id"] for one in (await gateway.client.get("/v1/files", headers=headers)).json()["data"]]
        for who, headers in (("ada", ADA), ("bob", BOB), ("administrator", {}))
    }
    assert listed == {"ada": [identity], "bob": [theirs], "administrator": [theirs, identity]}
    assert (await gateway.client.get(f"/v1/files/{identity}")).status_code == 200
    answer = await gateway.client.get("/v1/files", params={"after": theirs}, headers=ADA)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "after")


async def test_the_list_has_pages_and_filters(gateway) -> None:
    ids = [(await upload(gateway, purpose=purpose)).json()["id"] for purpose in ("batch", "ocr", "ocr")]
    newest = list(reversed(ids))

    async def listed(**query: Any) -> dict[str, Any]:
        answer = await gateway.client.get("/v1/files", params=query, headers=ADA)
        assert answer.status_code == 200
        told = answer.json()
        return {**told, "data": [one["id"] for one in told["data"]]}

    whole = await listed()
    assert whole == {"object": "list", "data": newest, "first_id": ids[2], "last_id": ids[0], "has_more": False}
    assert (await listed(order="asc"))["data"] == ids
    assert (await listed(purpose="ocr"))["data"] == newest[:2]
    page = await listed(limit=2)
    assert (page["data"], page["has_more"]) == (newest[:2], True)
    assert (await listed(after=page["last_id"]))["data"] == newest[2:]
    empty = await listed(purpose="evals")
    assert (empty["data"], empty["first_id"], empty["last_id"]) == ([], None, None)


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("limit=10001", "limit"), ("order=up", "order"), ("after=x", "after")]
)
async def test_a_bad_query_is_named(gateway, query: str, param: str) -> None:
    answer = await gateway.client.get(f"/v1/files?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_what_is_deleted_is_gone(gateway, tmp_path: Path) -> None:
    identity = (await upload(gateway)).json()["id"]
    answer = await gateway.client.delete(f"/v1/files/{identity}", headers=ADA)
    assert answer.json() == {"id": identity, "object": "file", "deleted": True}
    for path in (f"/v1/files/{identity}", f"/v1/files/{identity}/content"):
        assert (await gateway.client.get(path, headers=ADA)).status_code == 404
    assert (await gateway.client.delete(f"/v1/files/{identity}", headers=ADA)).status_code == 404
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "fun"}, "purpose"),
        ({"purpose": ""}, "purpose"),
        ({"expires_after[seconds]": "3600"}, "expires_after[anchor]"),
        ({"expires_after[anchor]": "now", "expires_after[seconds]": "3600"}, "expires_after[anchor]"),
        ({"expires_after[anchor]": "created_at"}, "expires_after[seconds]"),
        *(
            ({"expires_after[anchor]": "created_at", "expires_after[seconds]": seconds}, "expires_after[seconds]")
            for seconds in ("3599", "2592001", "-1", "soon", "1e4", "٣٦٠٠", "9" * 5000)
        ),
    ],
)
async def test_a_bad_field_is_named(gateway, fields: dict[str, str], param: str) -> None:
    answer = await upload(gateway, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_what_is_no_form_with_a_file_is_refused(gateway) -> None:
    answer = await gateway.client.post("/v1/files", json={"file": "x", "purpose": "ocr"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    for files in ({"other": b"x"}, {"file": (None, b"text, not a file")}):
        answer = await gateway.client.post("/v1/files", files=files, data={"purpose": "ocr"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")
    answer = await gateway.client.post("/v1/files", files=[("file", b"a"), ("file", b"b")], data={"purpose": "ocr"})
    assert answer.status_code == 400
    for content, kind in ((b"broken", "multipart/form-data; boundary=x"), (b"", "multipart/form-data")):
        answer = await gateway.client.post("/v1/files", content=content, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request_error")


async def test_a_file_may_be_empty_and_no_larger_than_the_bound(environment, start_gateway) -> None:
    environment.setenv("NEXUS_MAX_FILE_BYTES", "1000")
    gateway = await start_gateway()
    for size, status in ((0, 200), (1000, 200), (1001, 413)):
        answer = await upload(gateway, bytes(size))
        assert answer.status_code == status
    assert answer.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.txt", "b.txt"),
        ("..", "file"),
        ("猫.txt", "猫.txt"),
    ],
)
async def test_a_name_is_text_and_not_a_path(gateway, tmp_path: Path, name: str, kept: str) -> None:
    told = (await upload(gateway, name=name)).json()
    assert told["filename"] == kept
    stored = [path for path in tmp_path.rglob("*") if path.is_file() and "nexus.db" not in path.name]
    assert stored == [tmp_path / "files" / "files" / told["id"]]
    assert (await gateway.client.get(f"/v1/files/{told['id']}/content", headers=ADA)).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BlobsFullError("no space"), 507, "insufficient_storage"),
        (BlobError("secret-endpoint is down"), 503, "storage_unavailable"),
        (DatabaseError("secret-host is down"), 503, "storage_unavailable"),
    ],
)
async def test_a_storage_that_fails_is_told_and_logged(
    gateway, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    opened = await gateway.parts.store.opened()

    async def fail(*_: object) -> int:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(opened.blobs, "put_stream", fail)
        answer = await upload(gateway)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "secret" not in answer.text
    assert ("error", "storage_failed", {"reason": str(error)}) in gateway.logged
    assert (await gateway.client.get("/v1/files", headers=ADA)).json()["data"] == []
    assert (await upload(gateway)).status_code == 200


async def test_without_a_storage_only_what_needs_it_is_refused(environment, start_gateway, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment.setenv("NEXUS_FILES_URL", str(tmp_path / "file" / "in the way"))
    gateway = await start_gateway()
    answer = await upload(gateway)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    assert "retry-after" in answer.headers
    assert (await gateway.client.get("/v1/models")).status_code == 200
