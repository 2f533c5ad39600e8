"""The desk: takes what somebody can do, tells how it is, and calls it off; nothing is half taken."""

import asyncio
import json
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.background import desk as module
from nexus.gateway.background.desk import folder
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import State as InstanceState
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Claim, Job, Query, Result, State
from nexus.store.errors import BlobError, DatabaseError
from tests.servers.calls import make_instance

ERROR = {"message": "no", "type": "server_error", "param": None, "code": "upstream_error"}
HERE = ("music", "music-1")


@pytest.fixture(autouse=True)
def service(office) -> None:
    office.show(make_instance("music", operations=("music.generations",), models=("song",), places=1))


async def claimed(office, job: Job) -> Claim:
    claim = await office.ledger.claim(job, "here", 10.0)
    assert claim is not None
    return claim


async def completed(office, body: bytes = b"sound", seconds: float = 0.0) -> Job:
    job = await office.accept()
    claim = await claimed(office, job)
    office.clock.now += seconds
    key = f"{folder(job.id)}1/answer"
    await office.opened.blobs.put(key, body)
    result = Result(200, "audio/wav", len(body), key)
    assert await office.ledger.complete(claim, result, office.clock.now + 60, HERE, {})
    return await office.state(job)


async def refused(awaitable: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await awaitable
    return caught.value


async def test_a_call_is_written_down_as_it_came(office) -> None:
    office.rules = JobRules(max_wait=77.0)
    job = await office.accept(b'{"prompt":"x"}', "song", query=b"a=1", details={"own": 1}, prefix="video")
    assert job.id.startswith("video_")
    order = job.order
    assert (order.operation, order.path, order.model) == ("music.generations", "/v1/music/generations?a=1", "song")
    assert (order.content_type, order.size, order.token) == ("application/json", 14, "administrator")
    assert (order.request_id, order.base_url, order.details) == ("req-1", "http://gw", {"own": 1})
    assert (job.state, job.expires_at) == (State.QUEUED, office.clock.now + 77)
    assert await office.opened.blobs.get(order.key) == b'{"prompt":"x"}'


async def test_who_waits_is_woken_by_a_new_job(office) -> None:
    waiting = asyncio.create_task(office.bell.wait(60))
    await asyncio.sleep(0)
    await office.accept()
    async with asyncio.timeout(5):
        await waiting


async def test_what_nobody_could_do_is_refused_and_leaves_nothing(office) -> None:
    assert (await refused(office.accept(model="other"))).code == "model_not_found"
    office.show()
    assert (await refused(office.accept())).code == "no_ready_service"
    assert await office.names() == []


async def test_what_somebody_will_do_is_taken(office) -> None:
    office.show(make_instance("music", operations=("music.generations",), models=(), state=InstanceState.STARTING))
    assert (await office.accept()).state is State.QUEUED
    office.snapshot = build([], {}, settled=False)
    assert (await office.accept()).state is State.QUEUED


async def test_of_one_token_only_so_many_may_wait(office) -> None:
    office.rules = JobRules(max_queued=2)
    first, _ = [await office.accept() for _ in range(2)]
    error = await refused(office.accept())
    assert (error.status, error.code, error.retry_after) == (503, "overloaded", 10)
    await claimed(office, first)
    await office.accept()


async def test_a_database_that_fails_leaves_no_bytes_behind(office) -> None:
    office.show(make_instance("music", operations=("music.generations",), models=()))
    office.ledger.failures = 1  # the look after the row was written
    with pytest.raises(DatabaseError):
        await office.accept()
    assert await office.names() == []


async def test_a_client_that_leaves_while_its_job_is_written_down_leaves_a_whole_job(office) -> None:
    office.opened.blobs.gated()
    accepting = asyncio.create_task(office.accept(b"asked"))
    await office.opened.blobs.putting.wait()
    accepting.cancel()
    await asyncio.wait((accepting,))
    assert accepting.cancelled()
    rung = asyncio.create_task(office.bell.wait(60))
    await asyncio.sleep(0)
    office.opened.blobs.gate.set()
    async with asyncio.timeout(5):
        await rung
    (job,) = await office.ledger.waiting(10)
    assert await office.opened.blobs.get(job.order.key) == b"asked"


async def test_a_token_finds_its_own_jobs_and_no_others(office) -> None:
    job = await office.accept()
    assert await office.desk.find(job.id, "administrator") == await office.desk.find(job.id, None) == job
    for identity, token in ((job.id, "somebody else"), ("job_nowhere", None)):
        error = await refused(office.desk.find(identity, token))
        assert (error.status, error.param) == (404, "id")


async def test_a_page_says_whether_there_are_more(office) -> None:
    jobs = [await office.accept() for _ in range(3)]
    page, more = await office.desk.page(Query(limit=2))
    assert ([job.id for job in page], more) == ([jobs[2].id, jobs[1].id], True)
    page, more = await office.desk.page(Query(limit=3))
    assert (len(page), more) == (3, False)


async def test_who_waits_for_a_job_is_told_of_its_end_at_once(office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    job = await office.accept()
    waiting = asyncio.create_task(office.desk.settled(job, 600.0))
    claim = await claimed(office, job)
    assert await office.ledger.fail(claim, ERROR, office.clock.now + 60, HERE)
    async with asyncio.timeout(5):
        while not waiting.done():
            office.bell.ring()
            await asyncio.sleep(0)
    assert (await waiting).state is State.FAILED


async def test_who_waits_is_told_of_an_end_that_came_elsewhere(office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    job = await office.accept()
    waiting = asyncio.create_task(office.desk.settled(job, 600.0))
    await office.ledger.cancel(job.id, office.clock.now + 60)  # no bell rings
    async with asyncio.timeout(5):
        assert (await waiting).state is State.CANCELLED


async def test_waiting_ends_with_its_time(office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    job = await office.accept()
    assert (await office.desk.settled(job, 0.0)) is job
    waiting = asyncio.create_task(office.desk.settled(job, 0.05))
    await asyncio.sleep(0)
    office.clock.now -= 3600  # the clock is set back
    async with asyncio.timeout(5):
        assert (await waiting).state is State.QUEUED


async def test_a_change_is_waited_for_and_a_job_that_is_gone_is_none(office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    job = await completed(office)
    assert await office.desk.changed(job) == job
    await office.desk.forget(job)
    assert await office.desk.changed(job) is None


async def test_one_that_waits_is_told_its_place_and_how_long_it_takes(office) -> None:
    assert (await office.desk.view(await office.accept()))["eta_seconds"] is None
    await completed(office, seconds=10.0)
    job = await office.accept()
    view = await office.desk.view(job)
    assert (view["position"], view["eta_seconds"]) == (2, 25.0)


async def test_one_that_runs_is_told_what_is_left_by_its_own_pace(office) -> None:
    claim = await claimed(office, await office.accept())
    assert await office.ledger.renew(claim, 10.0, 0.25, "step")
    office.clock.now += 10
    view = await office.desk.view(await office.state(claim.job))
    assert (view["progress"], view["position"], view["eta_seconds"]) == (25, None, 30.0)


async def test_one_that_has_ended_has_neither(office) -> None:
    view = await office.desk.view(await completed(office))
    assert (view["position"], view["eta_seconds"], view["status"]) == (None, None, "completed")


async def test_the_answer_of_one_that_is_done_is_its_result(office) -> None:
    job = await completed(office, b"sound")
    status, lines, body = await office.desk.answer(job)
    assert (status, body) == (200, b"sound")
    assert dict(lines) == {b"content-type": b"audio/wav", b"x-nexus-job": job.id.encode()}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ERROR, 502),
        ({**ERROR, "code": "upstream_timeout"}, 504),
        ({**ERROR, "code": "missing_model", "type": "invalid_request_error"}, 400),
        ({**ERROR, "code": "job_lost"}, 500),
        ({**ERROR, "code": None, "type": "rate_limit_error"}, 429),
        ({"message": "no"}, 500),
    ],
)
async def test_the_answer_of_one_that_failed_is_its_error(office, error: dict[str, Any], status: int) -> None:
    claim = await claimed(office, await office.accept())
    await office.ledger.fail(claim, error, office.clock.now + 60, HERE)
    told, lines, body = await office.desk.answer(await office.state(claim.job))
    assert (told, json.loads(body)) == (status, {"error": error})
    assert (b"content-type", b"application/json") in lines


async def test_the_answer_of_one_that_has_not_ended_is_the_job(office) -> None:
    job = await office.accept()
    status, lines, body = await office.desk.answer(job)
    assert (status, json.loads(body)["id"]) == (202, job.id)
    assert dict(lines)[b"location"] == f"/v1/jobs/{job.id}".encode()
    assert dict(lines)[b"preference-applied"] == b"respond-async"


async def test_what_has_no_result_is_404(office) -> None:
    error = await refused(office.desk.result(await office.accept()))
    assert (error.status, "it is queued" in error.message) == (404, True)


async def test_calling_off_ends_it_here_and_everywhere(office) -> None:
    office.rules = JobRules(keep=55.0)
    claim = await claimed(office, await office.accept())
    job = await office.desk.cancel(claim.job)
    assert (job.state, job.expires_at) == (State.CANCELLED, office.clock.now + 55)
    assert office.stopped == [job.id]
    assert not await office.ledger.renew(claim, 10.0, 0.5, "")


async def test_calling_off_what_has_ended_changes_nothing(office) -> None:
    job = await completed(office)
    assert await office.desk.cancel(job) == job
    assert office.stopped == []


async def test_what_is_forgotten_leaves_nothing(office) -> None:
    job = await completed(office)
    other = await office.accept()
    await office.desk.forget(job)
    assert (await refused(office.desk.find(job.id, None))).status == 404
    assert await office.names() == [other.order.key]


async def test_bytes_that_cannot_be_removed_keep_their_row(office, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await completed(office)

    async def fail(_: object) -> None:
        raise BlobError("the bucket is away")

    monkeypatch.setattr(office.opened.blobs, "delete", fail)
    with pytest.raises(BlobError):
        await office.desk.forget(job)
    assert await office.desk.find(job.id, None) == job
