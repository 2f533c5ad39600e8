"""/v1/jobs: each token's own jobs as a list, one by one and as they change, their results, and their end."""

import asyncio
import json
import time
from typing import Any

import pytest
from msgspec.structs import replace

from nexus.contract.operations import BY_NAME
from nexus.gateway.background import desk as desk_module
from nexus.gateway.background.desk import folder
from nexus.gateway.endpoints import standard
from nexus.jobs.values import Claim, Job, Result
from nexus.policies.token import Bearer
from nexus.store.errors import DatabaseError
from tests.servers.calls import make_call

ADA = {"authorization": "Bearer sk-ada"}
BOB = {"authorization": "Bearer sk-bob"}
ERROR = {"message": "too dark", "type": "server_error", "param": None, "code": "upstream_error"}
HERE = ("music", "music-1")


@pytest.fixture(autouse=True)
def music(gateway, instance) -> None:
    gateway.show(instance("music", capabilities={"operations": ["music.generations", "ocr"]}))


async def entered(gateway, operation: str = "music.generations", token: str = "ada", model: str | None = None) -> Job:
    call = make_call(model, b"{}", at=standard(BY_NAME[operation]))
    request = replace(call.request, head=replace(call.request.head, bearer=Bearer(token)))
    job: Job = await gateway.parts.desk.accept(replace(call, request=request), "http://gw")
    return job


async def claimed(gateway, **fields: Any) -> Claim:
    ledger = (await gateway.parts.store.opened()).ledger
    claim: Claim | None = await ledger.claim(await entered(gateway, **fields), "here", 10.0)
    assert claim is not None
    return claim


async def completed(gateway, body: bytes = b"0123456789", **fields: Any) -> Job:
    opened = await gateway.parts.store.opened()
    claim = await claimed(gateway, **fields)
    result = Result(200, "audio/wav", len(body), f"{folder(claim.job.id)}1/answer")
    await opened.blobs.put(result.key, body)
    assert await opened.ledger.complete(claim, result, time.time() + 60, HERE, {})
    return claim.job


async def failed(gateway, **fields: Any) -> Job:
    claim = await claimed(gateway, **fields)
    ledger = (await gateway.parts.store.opened()).ledger
    assert await ledger.fail(claim, ERROR, time.time() + 60, HERE)
    return claim.job


async def listed(gateway, query: str = "", headers: Any = ADA) -> Any:
    answer = await gateway.client.get(f"/v1/jobs?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_one_that_waits_says_when_to_ask_again(gateway) -> None:
    job = await entered(gateway)
    answer = await gateway.client.get(f"/v1/jobs/{job.id}", headers=ADA)
    assert answer.headers["openai-poll-after-ms"] == "500"
    told = answer.json()
    assert (told["id"], told["status"], told["position"]) == (job.id, "queued", 1)
    done = await completed(gateway)
    answer = await gateway.client.get(f"/v1/jobs/{done.id}", headers=ADA)
    assert "openai-poll-after-ms" not in answer.headers
    assert answer.json()["result"] == {
        "url": f"/v1/jobs/{done.id}/result",
        "content_type": "audio/wav",
        "bytes": 10,
    }


async def test_each_token_sees_its_own_and_the_administrator_all(gateway) -> None:
    mine, theirs = await completed(gateway), await completed(gateway, token="bob")
    for method, path in (("GET", ""), ("GET", "/result"), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")):
        answer = await gateway.client.request(method, f"/v1/jobs/{mine.id}{path}", headers=BOB)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
    assert (await gateway.client.get(f"/v1/jobs/{mine.id}", headers={"authorization": ""})).status_code == 401
    ids = {name: [job["id"] for job in (await listed(gateway, headers=who))["data"]] for name, who in
           (("ada", ADA), ("bob", BOB), ("administrator", {}))}  # fmt: skip
    assert ids == {"ada": [mine.id], "bob": [theirs.id], "administrator": [theirs.id, mine.id]}
    assert (await gateway.client.get(f"/v1/jobs/{mine.id}/result")).status_code == 200


async def test_the_list_has_pages_and_filters(gateway) -> None:
    done, bad = await completed(gateway), await failed(gateway)
    waiting = await entered(gateway, "ocr")
    page = await listed(gateway)
    ids = [waiting.id, bad.id, done.id]
    assert [job["id"] for job in page["data"]] == ids
    assert (page["object"], page["first_id"], page["last_id"], page["has_more"]) == ("list", ids[0], ids[2], False)
    for query, found in (
        ("order=asc", ids[::-1]),
        ("limit=2", ids[:2]),
        (f"after={ids[0]}", ids[1:]),
        (f"after={ids[2]}&order=asc", ids[1::-1]),
        ("state=completed", [done.id]),
        ("status=queued", [waiting.id]),
        ("status=failed&operation=ocr", []),
        ("operation=ocr", [waiting.id]),
        ("state=running", []),
        ("model=nothing", []),
    ):
        assert [job["id"] for job in (await listed(gateway, query))["data"]] == found, query
    assert (await listed(gateway, "limit=2"))["has_more"]
    empty = await listed(gateway, "model=nothing")
    assert (empty["first_id"], empty["last_id"], empty["has_more"]) == (None, None, False)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("order=up", "order"),
        ("state=lost", "state"),
        ("status=lost", "status"),
    ],
)
async def test_a_bad_query_is_named(gateway, query: str, param: str) -> None:
    answer = await gateway.client.get(f"/v1/jobs?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_result_is_read_whole_or_in_part_and_known_again(gateway) -> None:
    job = await completed(gateway)
    path = f"/v1/jobs/{job.id}/result"
    answer = await gateway.client.get(path, headers=ADA)
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("audio/wav", "nosniff")
    tag = answer.headers["etag"]
    assert (await gateway.client.get(path, headers={**ADA, "if-none-match": tag})).status_code == 304
    answer = await gateway.client.get(path, headers={**ADA, "range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert (await gateway.client.get(path, headers={**ADA, "range": "bytes=10-"})).status_code == 416
    answer = await gateway.client.head(path, headers=ADA)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "10", b"")


async def test_what_has_no_result_says_why(gateway) -> None:
    for job, code, words in (
        (await entered(gateway), "not_found", "it is queued"),
        (await failed(gateway), "job_failed", "too dark"),
    ):
        answer = await gateway.client.get(f"/v1/jobs/{job.id}/result", headers=ADA)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], words in error["message"]) == (404, code, True)


async def test_a_result_whose_bytes_are_gone_is_404(gateway) -> None:
    job = await completed(gateway)
    opened = await gateway.parts.store.opened()
    await opened.blobs.delete_prefix(folder(job.id))
    answer = await gateway.client.get(f"/v1/jobs/{job.id}/result", headers=ADA)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_one_that_waits_or_runs_is_called_off(gateway) -> None:
    waiting, running = await entered(gateway), (await claimed(gateway)).job
    answer = await gateway.client.delete(f"/v1/jobs/{waiting.id}", headers=ADA)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    for _ in range(2):  # asked once more, nothing more happens
        answer = await gateway.client.post(f"/v1/jobs/{running.id}/cancel", headers=ADA)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def test_one_that_has_ended_is_not_called_off_but_forgotten(gateway) -> None:
    job = await completed(gateway)
    answer = await gateway.client.post(f"/v1/jobs/{job.id}/cancel", headers=ADA)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "id")
    answer = await gateway.client.delete(f"/v1/jobs/{job.id}", headers=ADA)
    assert answer.json() == {"id": job.id, "object": "job.deleted", "deleted": True}
    assert (await gateway.client.get(f"/v1/jobs/{job.id}", headers=ADA)).status_code == 404
    opened = await gateway.parts.store.opened()
    assert await opened.blobs.size(f"{folder(job.id)}1/answer") is None


async def told_of(gateway, job: Job, events: list[Any], seen: asyncio.Event) -> None:
    async with gateway.client.stream("GET", f"/v1/jobs/{job.id}/events", headers=ADA) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
                seen.set()


async def test_changes_are_told_as_they_come_and_the_end_at_last(gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "LOOK_SECONDS", 0.01)
    ledger = (await gateway.parts.store.opened()).ledger
    claim = await claimed(gateway)
    events: list[Any] = []
    seen = asyncio.Event()
    async with asyncio.timeout(10):
        telling = asyncio.create_task(told_of(gateway, claim.job, events, seen))
        for fraction in (0.25, 0.5):
            await seen.wait()
            seen.clear()
            assert await ledger.renew(claim, 10.0, fraction, f"at {fraction}")
        await seen.wait()
        assert await ledger.fail(claim, ERROR, time.time() + 60, HERE)
        await telling
    assert [event["type"] for event in events] == ["job.progress"] * 3 + ["job.failed"]
    assert [event["job"]["progress"] for event in events] == [0, 25, 50, 50]
    assert events[-1]["job"]["error"] == ERROR


async def test_of_one_that_has_ended_only_the_end_is_told(gateway) -> None:
    events: list[Any] = []
    async with asyncio.timeout(10):
        await told_of(gateway, await completed(gateway), events, asyncio.Event())
    assert [event["type"] for event in events] == ["job.completed"]


async def test_the_events_of_a_job_that_is_forgotten_end(gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "LOOK_SECONDS", 0.01)
    job = await entered(gateway)
    events: list[Any] = []
    seen = asyncio.Event()
    async with asyncio.timeout(10):
        telling = asyncio.create_task(told_of(gateway, job, events, seen))
        await seen.wait()
        monkeypatch.setattr(gateway.parts.desk, "changed", gone)
        await telling
    assert [event["type"] for event in events] == ["job.progress", "job.deleted"]
    assert events[-1]["job"] == {"id": job.id}


async def test_events_that_cannot_be_told_any_more_end_with_the_error(gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "LOOK_SECONDS", 0.01)
    job = await entered(gateway)
    events: list[Any] = []
    seen = asyncio.Event()
    async with asyncio.timeout(10):
        telling = asyncio.create_task(told_of(gateway, job, events, seen))
        await seen.wait()
        monkeypatch.setattr(gateway.parts.desk, "changed", away)
        await telling
    assert events[-1]["error"]["code"] == "storage_unavailable"


async def away(job: Job) -> None:
    raise DatabaseError("the database is away")


async def gone(job: Job) -> None:
    return None


@pytest.mark.parametrize("path", ["", "/job_1", "/job_1/result", "/job_1/events"])
async def test_a_database_that_fails_is_503(gateway, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    opened = await gateway.parts.store.opened()

    async def fail(*_: object) -> None:
        raise DatabaseError("secret-host is down")

    for name in ("get", "find"):
        monkeypatch.setattr(opened.ledger, name, fail)
    answer = await gateway.client.get(f"/v1/jobs{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    assert "secret" not in answer.text
