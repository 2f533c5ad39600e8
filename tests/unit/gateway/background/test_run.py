"""One run on real parts: how it ends is written down once, and a claim that is lost leaves nothing behind."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from nexus.contract.operations import BY_NAME
from nexus.gateway.background import run as module
from nexus.gateway.background.progress import Watcher
from nexus.gateway.background.run import CLAIM_SECONDS, Run, body_of
from nexus.gateway.background.runner import endpoint_of
from nexus.gateway.drive import Signal
from nexus.gateway.endpoints import standard
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.values import Client, Request
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Claim, Job, State
from nexus.policies.token import Bearer
from nexus.store.errors import BlobError, BlobsFullError, DatabaseError
from tests.servers.calls import make_instance, make_target

NAMES = b"x-nexus-service: music\r\nx-nexus-instance: music-1\r\n"
Script = Callable[[Client], None]


class Told:
    """A run whose story is what the test says: it waits for `go_on`, unless that was set, and then acts."""

    def __init__(self, office: Any, claim: Claim, act: Script, rules: JobRules | None = None) -> None:
        self.requests: list[Request] = []
        self.leases: list[Any] = []
        self.act = act
        self.go_on = Signal()
        watcher = Watcher(Fetcher(Resolver()).get)
        self.run = Run(claim, office.opened, self.story, watcher, rules or JobRules())

    async def story(self, request: Request, client: Client, lease: Any) -> None:
        self.requests.append(request)
        self.leases.append(lease)
        lease.target = make_target(name="svc", instance="svc-1")
        await self.go_on
        self.act(client)

    def begin(self, job: Job, body: bytes = b'{"prompt":"x"}') -> None:
        self.run.begin(endpoint_of(job), body, Bearer(job.order.token))


def answers(status: int, body: bytes, media_type: bytes = b"audio/wav") -> Script:
    return lambda client: client.send_whole(status, b"content-type: %b\r\n%b" % (media_type, NAMES), body)


def refuses(status: int, code: str) -> Script:
    error = {"message": "no", "type": "server_error", "param": "p", "code": code}
    return answers(status, json.dumps({"error": error}).encode(), b"application/json")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, music: Callable[..., None]) -> None:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.02)
    music()


async def claimed(office: Any, **fields: Any) -> Claim:
    claim = await office.ledger.claim(await office.accept(**fields), "here", CLAIM_SECONDS)
    assert claim is not None
    return claim


async def ended(office: Any, act: Script, **fields: Any) -> Job:
    """The job of a run that has ended."""
    claim = await claimed(office, **fields)
    told = Told(office, claim, act, office.rules)
    told.go_on.set()
    told.begin(claim.job)
    await told.run.go()
    job: Job = await office.state(claim.job)
    return job


async def test_the_request_is_the_one_that_was_put_off_under_the_jobs_id(office) -> None:
    claim = await claimed(office, query=b"a=1", base_url="https://gw.test:1/x")
    told = Told(office, claim, answers(200, b""))
    told.begin(claim.job, b"body")
    (request,) = told.requests
    assert (request.body, request.request_id) == (b"body", claim.job.id)
    assert (request.head.target, request.head.token) == ("/v1/music/generations?a=1", "administrator")
    assert (request.head.lines, request.head.host) == (b"content-type: application/json\r\n", b"gw.test:1/x")
    assert request.endpoint.job == "running"
    told.run.stop()


async def test_a_result_is_stored_and_told_with_who_made_it(office) -> None:
    job = await ended(office, answers(200, b"sound"))
    assert (job.state, job.service, job.instance) == (State.COMPLETED, "music", "music-1")
    assert job.result is not None
    assert (job.result.status, job.result.media_type, job.result.size) == (200, "audio/wav", 5)
    assert await office.opened.blobs.get(job.result.key) == b"sound"
    assert job.order.details["parts"] == {"answer": ["audio/wav", 5, f"jobs/{job.id}/here-1/answer"]}


async def test_an_event_stream_is_a_result_as_it_came(office) -> None:
    def stream(client: Client) -> None:
        client.send_head(200, b"content-type: text/event-stream\r\n", None)
        client.send(b"data: 1\n\n")
        client.send(b"data: 2\n\n")
        client.finish()

    job = await ended(office, stream)
    assert job.result is not None
    assert job.result.media_type == "text/event-stream"
    assert await office.opened.blobs.get(job.result.key) == b"data: 1\n\ndata: 2\n\n"


async def test_a_refusal_is_final_and_told_whole(office) -> None:
    office.rules = JobRules(keep=50)
    job = await ended(office, refuses(400, "invalid_request_error"))
    assert (job.state, job.service) == (State.FAILED, "music")
    assert job.error == {"message": "no", "type": "server_error", "param": "p", "code": "invalid_request_error"}
    assert await office.names() == [job.order.key]


@pytest.mark.parametrize("code", ["no_ready_service", "overloaded", "storage_unavailable"])
async def test_what_nobody_began_waits_again_and_is_no_attempt(office, code: str) -> None:
    job = await ended(office, refuses(503, code))
    assert (job.state, job.attempts, job.message) == (State.QUEUED, 0, "no")


async def test_what_broke_off_is_tried_as_often_as_it_may(office) -> None:
    office.rules = JobRules(max_attempts=2)

    def breaks(client: Client) -> None:
        client.send_head(200, b"", None)
        client.send(b"so")
        client.cut()

    job = await ended(office, breaks)
    assert (job.state, job.attempts, job.message) == (State.QUEUED, 1, "The answer broke off.")
    assert (job.service, job.instance) == ("svc", "svc-1")
    office.clock.now += 60
    claim = await office.ledger.claim(job, "here", CLAIM_SECONDS)
    told = Told(office, claim, breaks, office.rules)
    told.go_on.set()
    told.begin(job)
    await told.run.go()
    assert told.leases[0].shunned == ("svc", "svc-1")
    job = await office.state(job)
    assert (job.state, job.attempts, job.result) == (State.FAILED, 2, None)
    assert await office.names() == [job.order.key]


async def test_a_fault_of_ours_is_final(office) -> None:
    def fault(client: Client) -> None:
        raise ZeroDivisionError

    job = await ended(office, fault)
    assert (job.state, job.error["code"]) == (State.FAILED, "internal_error")


async def test_the_claim_is_renewed_while_it_runs(office) -> None:
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.begin(claim.job)
    going = asyncio.create_task(told.run.go())
    for _ in range(3):
        office.clock.now += CLAIM_SECONDS - 1
        until = office.clock.now + CLAIM_SECONDS
        async with asyncio.timeout(5):
            while await claimed_until(office, claim.job) < until:
                await asyncio.sleep(0.005)
    told.go_on.set()
    await going
    assert (await office.state(claim.job)).state is State.COMPLETED


async def claimed_until(office: Any, job: Job) -> float:
    async with office.opened.database.read() as connection:
        found = await connection.execute(text("SELECT lease_until FROM jobs WHERE id = :id"), {"id": job.id})
        return float(found.scalar_one())


async def test_a_run_that_was_called_off_elsewhere_stops_and_tells_nothing(office) -> None:
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.begin(claim.job)
    await office.ledger.cancel(claim.job.id, office.clock.now + 60)
    async with asyncio.timeout(5):
        await told.run.go()
    assert (await office.state(claim.job)).state is State.CANCELLED
    assert await office.names() == [claim.job.order.key]


async def test_a_database_that_fails_does_not_end_a_run(office) -> None:
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.begin(claim.job)
    office.ledger.failures = 3
    going = asyncio.create_task(told.run.go())
    async with asyncio.timeout(5):
        while office.ledger.failures:
            await asyncio.sleep(0.005)
    told.go_on.set()
    await going
    assert (await office.state(claim.job)).state is State.COMPLETED


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow one another at once."""
    monkeypatch.setattr(module, "WATCH_SECONDS", 60.0)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)


@pytest.mark.parametrize("act", [answers(200, b"sound"), refuses(400, "x"), refuses(503, "overloaded")])
async def test_an_end_is_written_down_also_by_a_database_that_fails_for_a_while(
    office, patient: None, act: Script
) -> None:
    claim = await claimed(office)
    told = Told(office, claim, act)
    told.go_on.set()
    told.begin(claim.job)
    office.ledger.failures = 5
    await told.run.go()
    assert office.ledger.failed == 5
    assert (await office.state(claim.job)).state is not State.RUNNING


async def test_an_end_that_was_written_down_though_it_seemed_to_fail_keeps_its_bytes(office, patient: None) -> None:
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.go_on.set()
    told.begin(claim.job)
    office.ledger.written, office.ledger.failures = True, 1
    await told.run.go()
    job = await office.state(claim.job)
    assert job.state is State.COMPLETED
    assert await office.opened.blobs.get(job.result.key) == b"sound"


async def test_a_database_that_stays_away_is_given_up(office, patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITE_TRIES", 3)
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.go_on.set()
    told.begin(claim.job)
    office.ledger.failures = 100
    with pytest.raises(DatabaseError):
        await told.run.go()
    office.ledger.failures = 0
    assert (await office.state(claim.job)).state is State.RUNNING  # until its claim is taken back


async def storing(office: Any) -> tuple[Claim, asyncio.Task[None]]:
    """A run that waits for the storage to take its result."""
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.go_on.set()
    told.begin(claim.job)
    office.opened.blobs.gated()
    going = asyncio.create_task(told.run.go())
    await asyncio.wait_for(office.opened.blobs.putting.wait(), 5)
    return claim, going


async def test_the_claim_is_renewed_while_the_result_is_stored(office) -> None:
    claim, going = await storing(office)
    office.clock.now += CLAIM_SECONDS - 1
    async with asyncio.timeout(5):
        while await claimed_until(office, claim.job) < office.clock.now + CLAIM_SECONDS:
            await asyncio.sleep(0.005)
    office.opened.blobs.gate.set()
    await going
    assert (await office.state(claim.job)).state is State.COMPLETED


async def lost(office: Any, claim: Claim) -> None:
    office.clock.now += CLAIM_SECONDS + 1
    assert await office.ledger.take_back(3, {}, office.clock.now + 60) == 1
    assert await office.ledger.claim(await office.state(claim.job), "elsewhere", CLAIM_SECONDS) is not None


async def called_off(office: Any, claim: Claim) -> None:
    await office.ledger.cancel(claim.job.id, office.clock.now + 60)


async def forgotten(office: Any, claim: Claim) -> None:
    await called_off(office, claim)
    await office.desk.forget(await office.state(claim.job))


@pytest.mark.parametrize(
    ("what", "state", "left"), [(lost, State.RUNNING, 1), (called_off, State.CANCELLED, 1), (forgotten, None, 0)]
)
async def test_a_claim_that_is_lost_while_the_result_is_stored_leaves_nothing(
    office, patient: None, what: Callable[..., Any], state: State | None, left: int
) -> None:
    claim, going = await storing(office)
    await what(office, claim)
    office.opened.blobs.gate.set()
    async with asyncio.timeout(5):
        await going
    job = await office.ledger.get(claim.job.id)
    assert (job.state if job else None, job.result if job else None) == (state, None)
    assert await office.names() == [claim.job.order.key][:left]


async def test_a_run_that_is_cancelled_while_it_stores_does_not_go_on(office) -> None:
    claim, going = await storing(office)
    going.cancel()
    await asyncio.wait((going,))
    assert going.cancelled()
    office.opened.blobs.gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (await office.state(claim.job)).state is State.RUNNING
    assert await office.names() == [claim.job.order.key]


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [(BlobsFullError("full"), State.FAILED, "internal_error"), (BlobError("away"), State.QUEUED, None)],
)
async def test_a_result_that_cannot_be_stored(
    office, patient: None, monkeypatch: pytest.MonkeyPatch, error: Exception, state: State, code: str | None
) -> None:
    """Work whose result nobody can keep is done again, but not for ever."""
    claim = await claimed(office)

    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(office.opened.blobs, "put", fail)
    told = Told(office, claim, answers(200, b"sound"))
    told.go_on.set()
    told.begin(claim.job)
    await told.run.go()
    job = await office.state(claim.job)
    assert (job.state, job.attempts, job.error["code"] if job.error else None) == (state, 1, code)


async def test_handing_back_lets_somebody_else_run_it_and_is_no_attempt(office) -> None:
    claim = await claimed(office)
    told = Told(office, claim, answers(200, b"sound"))
    told.begin(claim.job)
    await told.run.hand_back()
    async with asyncio.timeout(5):
        await told.run.go()
    job = await office.state(claim.job)
    assert (job.state, job.attempts) == (State.QUEUED, 0)
    assert [one.id for one in await office.ledger.waiting(1)] == [job.id]


async def test_the_parts_of_a_video_are_stored_one_by_one(office) -> None:
    office.show(make_instance("film", operations=("videos",), models=()))
    data = [
        {"variant": name, "media_type": media_type, "b64_json": base64.b64encode(name.encode()).decode()}
        for name, media_type in (("thumbnail", "image/png"), ("video", "video/mp4"))
    ]
    act = answers(200, json.dumps({"data": data}).encode(), b"application/json")
    job = await ended(office, act, at=standard(BY_NAME["videos"]), details={"prompt": "x"})
    assert job.result is not None
    assert (job.result.media_type, await office.opened.blobs.get(job.result.key)) == ("video/mp4", b"video")
    media_type, size, key = job.order.details["parts"]["thumbnail"]
    assert (media_type, size, await office.opened.blobs.get(key)) == ("image/png", 9, b"thumbnail")
    assert job.order.details["prompt"] == "x"


async def test_a_video_service_that_answers_something_else_broke_its_word(office) -> None:
    office.show(make_instance("film", operations=("videos",), models=()))
    job = await ended(office, answers(200, b"{}", b"application/json"), at=standard(BY_NAME["videos"]))
    assert (job.state, job.attempts) == (State.QUEUED, 1)
    assert "no video" in job.message


async def test_a_request_that_is_gone_is_none(office) -> None:
    job = await office.accept()
    assert await body_of(office.opened, job) == b'{"prompt":"x"}'
    await office.opened.blobs.delete([job.order.key])
    assert await body_of(office.opened, job) is None
