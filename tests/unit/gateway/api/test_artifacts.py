"""/v1/artifacts: open to whoever knows the URL, by ranges, and safe to open in a browser."""

import time

import pytest

from nexus.gateway import artifacts
from nexus.gateway.artifacts import publish

BODY = bytes(range(256)) * 4000
OPEN = {"authorization": ""}


async def make(gateway, media_type: str = "image/png", filename: str = "cat.png", body: bytes = BODY) -> str:
    return await publish(gateway.parts.store, token="ada", media_type=media_type, body=body, filename=filename)


async def test_an_artifact_is_read_without_a_token(gateway) -> None:
    path = await make(gateway)
    answer = await gateway.client.get(path, headers=OPEN)
    assert (answer.status_code, answer.content) == (200, BODY)
    headers = answer.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == str(len(BODY))
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"] == 'inline; filename="cat.png"'
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, max-age=3600"
    for same in (path.rpartition("/")[0], path.rpartition("/")[0] + "/another.name"):
        assert (await gateway.client.get(same, headers=OPEN)).content == BODY


async def test_what_could_run_scripts_is_only_to_be_saved(gateway) -> None:
    for media_type in ("text/html", "image/svg+xml", "application/json", "no type"):
        answer = await gateway.client.get(await make(gateway, media_type, "page.html"), headers=OPEN)
        assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_range_is_206_and_one_outside_416(gateway) -> None:
    path = await make(gateway)
    size = len(BODY)
    for wanted, start, end in (("0-0", 0, 1), ("300000-", 300000, size), ("-10", size - 10, size)):
        answer = await gateway.client.get(path, headers={**OPEN, "range": f"bytes={wanted}"})
        assert (answer.status_code, answer.content) == (206, BODY[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)
    answer = await gateway.client.get(path, headers={**OPEN, "range": f"bytes={size}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")
    assert answer.json()["error"]["code"] == "range_not_satisfiable"
    answer = await gateway.client.get(path, headers={**OPEN, "range": "bytes=0-1,5-6"})
    assert (answer.status_code, answer.content) == (200, BODY)


async def test_a_part_is_only_added_to_what_it_is_a_part_of(gateway) -> None:
    path = await make(gateway)
    etag = (await gateway.client.head(path, headers=OPEN)).headers["etag"]
    for condition, status in ((etag, 206), ('"another"', 200), ("Tue, 15 Nov 1994 12:45:26 GMT", 200)):
        headers = {**OPEN, "range": "bytes=0-9", "if-range": condition}
        assert (await gateway.client.get(path, headers=headers)).status_code == status
    for condition, status in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200)):
        answer = await gateway.client.get(path, headers={**OPEN, "if-none-match": condition})
        assert (answer.status_code, bool(answer.content)) == (status, status == 200)


async def test_head_is_get_without_the_body(gateway) -> None:
    path = await make(gateway)
    got = (await gateway.client.get(path, headers=OPEN)).headers
    answer = await gateway.client.head(path, headers=OPEN)
    assert (answer.status_code, answer.content) == (200, b"")
    volatile = {"date", "x-request-id"}
    assert {k: v for k, v in answer.headers.items() if k not in volatile} == {
        k: v for k, v in got.items() if k not in volatile
    }
    answer = await gateway.client.head(path, headers={**OPEN, "range": "bytes=5-9"})
    assert (answer.status_code, answer.headers["content-length"]) == (206, "5")


async def test_names_break_no_header(gateway) -> None:
    path = await make(gateway, filename='../../etc/a"b\r\nset-cookie: x=1; 猫.png')
    assert path.count("/") == 4
    answer = await gateway.client.get(path, headers=OPEN)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert "猫".encode().hex().upper() in answer.headers["content-disposition"].replace("%", "")


async def test_what_does_not_exist_has_expired_or_is_a_file_is_a_404(gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "KEPT_SECONDS", -1.0)
    expired = await make(gateway)
    uploaded = await gateway.client.post("/v1/files", files={"file": b"x"}, data={"purpose": "ocr"})
    odd = ("/v1/artifacts/x", "/v1/artifacts/%2e%2e%2fnexus.db", "/v1/artifacts/" + "x" * 5000)
    for path in (expired, f"/v1/artifacts/{uploaded.json()['id']}", *odd):
        answer = await gateway.client.get(path, headers=OPEN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert (await gateway.client.delete("/v1/artifacts/x", headers=OPEN)).status_code == 405


async def test_bytes_that_are_gone_are_a_404_and_an_empty_body_is_one(gateway) -> None:
    path = await make(gateway)
    opened = await gateway.parts.store.opened()
    await opened.blobs.delete_prefix("artifacts")
    answer = await gateway.client.get(path, headers=OPEN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    answer = await gateway.client.get(await make(gateway, body=b""), headers=OPEN)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_url_is_not_in_the_records(gateway) -> None:
    await gateway.client.get(await make(gateway), headers=OPEN)
    assert gateway.records[-1]["path"] == "/v1/artifacts/{identity}/{filename}"


async def test_an_artifact_is_not_cached_for_longer_than_it_lives(gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "KEPT_SECONDS", 100.0)
    began = time.time()
    answer = await gateway.client.get(await make(gateway), headers=OPEN)
    age = int(answer.headers["cache-control"].removeprefix("private, max-age="))
    assert 99 - (time.time() - began) <= age <= 100
