"""/v1/videos: jobs in OpenAI's shape, with its four statuses and no others."""

import json
import time
from typing import Any

import pytest
from msgspec.structs import replace

from nexus.contract.operations import BY_NAME
from nexus.gateway.background.desk import folder
from nexus.gateway.endpoints import standard
from nexus.jobs.values import Job, Result
from nexus.policies.token import Bearer
from tests.servers.calls import make_call

ADA = {"authorization": "Bearer sk-ada"}
BOB = {"authorization": "Bearer sk-bob"}
ERROR = {"message": "too dark", "type": "server_error", "param": None, "code": "upstream_error"}
FILES = {"video": ("video/mp4", b"film"), "thumbnail": ("image/png", b"small")}


@pytest.fixture(autouse=True)
def studio(gateway, instance) -> None:
    gateway.show(instance("studio", capabilities={"operations": ["videos", "ocr"]}, models=[{"id": "mov"}]))


async def created(gateway, headers: Any = ADA, **fields: Any) -> dict[str, Any]:
    answer = await gateway.client.post("/v1/videos", json={"prompt": "the moon", **fields}, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def ledger_of(gateway) -> Any:
    return (await gateway.parts.store.opened()).ledger


async def completed(gateway, identity: str, files: Any = FILES) -> None:
    opened = await gateway.parts.store.opened()
    claim = await opened.ledger.claim(await opened.ledger.get(identity), "here", 10.0)
    stored = {name: Result(200, kind, len(body), f"{folder(identity)}1/{name}") for name, (kind, body) in files.items()}
    for name, (_, body) in files.items():
        await opened.blobs.put(stored[name].key, body)
    details = {"parts": {name: [one.media_type, one.size, one.key] for name, one in stored.items()}}
    assert await opened.ledger.complete(claim, stored["video"], time.time() + 60, ("studio", "s-1"), details)


async def get(gateway, path: str, headers: Any = ADA) -> Any:
    return await gateway.client.get(f"/v1/videos{path}", headers=headers)


async def test_a_video_is_asked_for_and_waits(gateway) -> None:
    before = int(time.time())
    answer = await gateway.client.post("/v1/videos", json={"prompt": "the moon", "seconds": "8"}, headers=ADA)
    assert answer.headers["openai-poll-after-ms"] == "500"
    told = answer.json()
    assert told["id"].startswith("video_")
    assert before <= told["created_at"] <= time.time()
    assert told == {
        "id": told["id"],
        "object": "video",
        "status": "queued",
        "progress": 0,
        "created_at": told["created_at"],
        "completed_at": None,
        "expires_at": None,
        "model": "mov",
        "prompt": "the moon",
        "seconds": "8",
        "size": "720x1280",
        "remixed_from_video_id": None,
        "error": None,
    }
    job = await (await ledger_of(gateway)).get(told["id"])
    assert (job.order.operation, job.order.token, job.order.path) == ("videos", "ada", "/v1/videos")
    assert job.order.base_url == str(gateway.client.base_url).rstrip("/")


async def test_a_form_is_taken_as_it_came(gateway) -> None:
    answer = await gateway.client.post(
        "/v1/videos",
        data={"prompt": "the moon", "fps": "12", "num_frames": "24"},
        files={"input_reference": ("a.png", b"picture")},
        headers=ADA,
    )
    assert (answer.status_code, answer.json()["seconds"]) == (200, "2")
    opened = await gateway.parts.store.opened()
    order = (await opened.ledger.get(answer.json()["id"])).order
    assert order.content_type.startswith("multipart/form-data; boundary=")
    assert b"picture" in await opened.blobs.get(order.key)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"prompt": ""}, 400, "prompt"),
        ({}, 400, "prompt"),
        ({"prompt": "x", "size": "1x1"}, 400, "size"),
        ({"prompt": "x", "seconds": "0"}, 400, "seconds"),
        ({"prompt": "x", "model": "other"}, 404, "model"),
        ([], 400, None),
    ],
)
async def test_what_cannot_be_made_is_refused_at_once(gateway, body: Any, status: int, param: str | None) -> None:
    answer = await gateway.client.post("/v1/videos", json=body, headers=ADA)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert (await get(gateway, "")).json()["data"] == []


@pytest.mark.parametrize("body", [b'{"prompt":"\xff"}', b'{"prompt":"x","y":' + b"[" * 5000 + b"]" * 5000 + b"}"])
async def test_what_is_no_json_at_a_closer_look_is_400(gateway, body: bytes) -> None:
    headers = {**ADA, "content-type": "application/json"}
    answer = await gateway.client.post("/v1/videos", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request_error")


async def test_where_nobody_makes_videos_it_is_503(gateway) -> None:
    gateway.show()
    answer = await gateway.client.post("/v1/videos", json={"prompt": "x"}, headers=ADA)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_ready_service")


async def test_it_has_four_statuses(gateway) -> None:
    ledger = await ledger_of(gateway)
    ids = [(await created(gateway))["id"] for _ in range(4)]
    await completed(gateway, ids[0])
    for identity in ids[1:3]:
        claim = await ledger.claim(await ledger.get(identity), "here", 10.0)
        await ledger.renew(claim, 10.0, 0.5, "")
    await ledger.fail(claim, ERROR, time.time() + 60, ("", ""))
    await ledger.cancel(ids[3], time.time() + 60)
    told = [(await get(gateway, f"/{identity}")).json() for identity in ids]
    assert [one["status"] for one in told] == ["completed", "in_progress", "failed", "failed"]
    assert [one["progress"] for one in told] == [100, 50, 50, 0]
    assert [one["completed_at"] is not None for one in told] == [True, False, False, False]
    assert [one["expires_at"] is not None for one in told] == [True, False, True, True]
    assert [one["error"] and one["error"]["code"] for one in told] == [None, None, "upstream_error", "cancelled"]


async def test_its_files_are_read_each_under_its_name(gateway) -> None:
    identity = (await created(gateway))["id"]
    answer = await get(gateway, f"/{identity}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    await completed(gateway, identity)
    for query, (media_type, body) in (("", FILES["video"]), ("?variant=thumbnail", FILES["thumbnail"])):
        answer = await get(gateway, f"/{identity}/content{query}")
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, media_type, body)
    answer = await get(gateway, f"/{identity}/content", {**ADA, "range": "bytes=1-2"})
    assert (answer.status_code, answer.content) == (206, b"il")
    answer = await get(gateway, f"/{identity}/content?variant=spritesheet")
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "variant")
    answer = await get(gateway, f"/{identity}/content?variant=../video")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "variant")


async def test_a_video_that_came_as_bytes_is_its_result(gateway) -> None:
    identity = (await created(gateway))["id"]
    opened = await gateway.parts.store.opened()
    claim = await opened.ledger.claim(await opened.ledger.get(identity), "here", 10.0)
    result = Result(200, "video/webm", 4, f"{folder(identity)}1/answer")
    await opened.blobs.put(result.key, b"film")
    await opened.ledger.complete(claim, result, time.time() + 60, ("", ""), {})
    answer = await get(gateway, f"/{identity}/content")
    assert (answer.headers["content-type"], answer.content) == ("video/webm", b"film")


async def test_a_failed_one_says_so_where_its_content_is_asked_for(gateway) -> None:
    ledger = await ledger_of(gateway)
    identity = (await created(gateway))["id"]
    await ledger.fail(await ledger.claim(await ledger.get(identity), "here", 10.0), ERROR, time.time() + 60, ("", ""))
    answer = await get(gateway, f"/{identity}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "job_failed")


async def test_a_token_sees_its_own_and_only_videos(gateway) -> None:
    mine, theirs = (await created(gateway))["id"], (await created(gateway, BOB))["id"]
    other = await entered_ocr(gateway)
    for identity in (theirs, other.id, "video_nowhere"):
        for path in ("", "/content"):
            assert (await get(gateway, f"/{identity}{path}")).status_code == 404
        assert (await gateway.client.delete(f"/v1/videos/{identity}", headers=ADA)).status_code == 404
    assert [one["id"] for one in (await get(gateway, "")).json()["data"]] == [mine]
    assert [one["id"] for one in (await get(gateway, "", {})).json()["data"]] == [theirs, mine]


async def entered_ocr(gateway) -> Job:
    call = make_call(None, b"{}", at=standard(BY_NAME["ocr"]))
    request = replace(call.request, head=replace(call.request.head, bearer=Bearer("ada")))
    job: Job = await gateway.parts.desk.accept(replace(call, request=request), "http://gw")
    return job


async def test_the_list_has_pages(gateway) -> None:
    ids = [(await created(gateway))["id"] for _ in range(3)]
    page = (await get(gateway, "?limit=2")).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (ids[:0:-1], True)
    page = (await get(gateway, f"?order=asc&after={ids[0]}")).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (ids[1:], False)
    for query, param in (("limit=101", "limit"), ("limit=0", "limit"), ("order=up", "order")):
        answer = await get(gateway, f"?{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_remix_is_a_new_video_of_the_old_one(gateway) -> None:
    source = (await created(gateway, size="1280x720", own="kept"))["id"]
    answer = await gateway.client.post(f"/v1/videos/{source}/remix", json={"prompt": "the sun"}, headers=ADA)
    assert (answer.status_code, "it is queued" in answer.json()["error"]["message"]) == (400, True)
    await completed(gateway, source)
    answer = await gateway.client.post(f"/v1/videos/{source}/remix", json={"prompt": "the sun"}, headers=ADA)
    told = answer.json()
    assert (told["prompt"], told["size"], told["remixed_from_video_id"]) == ("the sun", "1280x720", source)
    opened = await gateway.parts.store.opened()
    order = (await opened.ledger.get(told["id"])).order
    body = json.loads(await opened.blobs.get(order.key))
    assert body == {
        "prompt": "the sun",
        "size": "1280x720",
        "own": "kept",
        "remix_video": "data:video/mp4;base64,ZmlsbQ==",
    }
    for given in ({}, {"prompt": ""}, {"prompt": 7}):
        answer = await gateway.client.post(f"/v1/videos/{source}/remix", json=given, headers=ADA)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")
    answer = await gateway.client.post(f"/v1/videos/{source}/remix", json={"prompt": "x"}, headers=BOB)
    assert answer.status_code == 404


async def test_a_remix_of_a_video_that_came_by_a_form_keeps_its_numbers(gateway) -> None:
    answer = await gateway.client.post(
        "/v1/videos", data={"prompt": "the moon", "fps": "12"}, files={"input_reference": ("a", b"p")}, headers=ADA
    )
    source = answer.json()["id"]
    await completed(gateway, source)
    answer = await gateway.client.post(f"/v1/videos/{source}/remix", json={"prompt": "the sun"}, headers=ADA)
    assert answer.status_code == 200, answer.text
    opened = await gateway.parts.store.opened()
    body = json.loads(await opened.blobs.get((await opened.ledger.get(answer.json()["id"])).order.key))
    assert (body["fps"], "input_reference" in body) == (12, False)


@pytest.mark.parametrize("ended", [True, False])
async def test_what_is_deleted_is_gone(gateway, ended: bool) -> None:
    identity = (await created(gateway))["id"]
    if ended:
        await completed(gateway, identity)
    answer = await gateway.client.delete(f"/v1/videos/{identity}", headers=ADA)
    assert answer.json() == {"id": identity, "object": "video.deleted", "deleted": True}
    assert (await get(gateway, f"/{identity}")).status_code == 404
    opened = await gateway.parts.store.opened()
    assert await opened.ledger.get(identity) is None
    assert await opened.blobs.size(f"{folder(identity)}request") is None
