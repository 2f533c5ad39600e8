"""The ledger's laws on a real database: one claim at a time, one end a job, whoever asks at the same time."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus.jobs.values import Query, Result, State
from nexus.store.address import BlobAddress
from nexus.store.blobs import Blobs
from nexus.store.files import Files
from nexus.store.rows import KeptFile

RESULT = Result(200, "application/json", 5, "jobs/job_1/1/answer")
ERROR = {"message": "no", "type": "server_error", "param": None, "code": "upstream_error"}
HERE = ("ocr", "ocr-1")


async def test_a_new_job_waits_and_is_found_by_its_token_alone(book: Any) -> None:
    job = await book.enter(model="small")
    assert (job.state, job.attempts, job.order.model, job.created_at) == (State.QUEUED, 0, "small", book.clock.now)
    assert await book.ledger.get(job.id, "someone") == job
    assert await book.ledger.get(job.id, "somebody else") is None
    assert await book.ledger.get("job_99") is None


async def test_first_come_first_served(book: Any) -> None:
    jobs = [await book.enter() for _ in range(3)]
    assert [job.id for job in await book.ledger.waiting(10)] == [job.id for job in jobs]
    assert [await book.ledger.position(job) for job in jobs] == [1, 2, 3]


async def test_a_place_is_among_those_who_want_the_same(book: Any) -> None:
    await book.enter(model="large")
    await book.enter("images.generations")
    job = await book.enter(model="small")
    assert await book.ledger.position(job) == 1


async def test_what_waits_is_counted_by_operation_whoever_it_is_for(book: Any) -> None:
    assert await book.ledger.queue_lengths() == {}
    for token in ("someone", "somebody else"):
        await book.enter("ocr", token=token)
    await book.enter("videos")
    await book.claimed(operation="images.generations")
    await book.ledger.cancel((await book.enter("videos")).id, book.clock.now)
    assert await book.ledger.queue_lengths() == {"ocr": 2, "videos": 1}


async def test_of_many_who_claim_at_once_one_gets_it(book: Any) -> None:
    job = await book.enter()
    claims = await asyncio.gather(*(book.ledger.claim(job, f"gateway-{n}", 10.0) for n in range(8)))
    assert sum(claim is not None for claim in claims) == 1
    assert await book.ledger.waiting(10) == []


async def test_it_is_completed_once(book: Any) -> None:
    claim = await book.claimed()
    until = book.clock.now + 60
    assert await book.ledger.complete(claim, RESULT, until, HERE, {"parts": {}})
    assert not await book.ledger.complete(claim, RESULT, until, HERE, {})
    assert not await book.ledger.fail(claim, ERROR, until, HERE)
    assert not await book.ledger.cancel(claim.job.id, until)
    job = await book.ledger.get(claim.job.id)
    assert (job.state, job.progress, job.result, job.service) == (State.COMPLETED, 1.0, RESULT, "ocr")
    assert job.order.details == {"parts": {}}


async def test_a_lost_claim_writes_nothing(book: Any) -> None:
    claim = await book.claimed()
    book.clock.now += 11
    assert await book.ledger.take_back(3, ERROR, book.clock.now + 60) == 1
    second = await book.ledger.claim(await book.ledger.get(claim.job.id), "there", 10.0)
    assert second is not None
    assert second.attempt == 2
    assert not await book.ledger.renew(claim, 10.0, 0.5, "")
    assert not await book.ledger.complete(claim, RESULT, book.clock.now, HERE, {})
    assert await book.ledger.complete(second, RESULT, book.clock.now, HERE, {})


async def test_a_claim_that_is_renewed_is_kept(book: Any) -> None:
    claim = await book.claimed()
    for _ in range(3):
        book.clock.now += 8
        assert await book.ledger.renew(claim, 10.0, 0.5, "half")
        assert await book.ledger.take_back(3, ERROR, book.clock.now) == 0
    job = await book.ledger.get(claim.job.id)
    assert (job.progress, job.message) == (0.5, "half")


async def test_a_job_that_is_lost_too_often_has_failed(book: Any) -> None:
    claim = await book.claimed()
    for _ in range(2):
        book.clock.now += 11
        await book.ledger.take_back(3, ERROR, book.clock.now + 60)
        claim = await book.ledger.claim(await book.ledger.get(claim.job.id), "again", 10.0)
    book.clock.now += 11
    await book.ledger.take_back(3, ERROR, book.clock.now + 60)
    job = await book.ledger.get(claim.job.id)
    assert (job.state, job.error["code"], job.attempts) == (State.FAILED, "upstream_error", 3)


async def test_what_is_put_back_waits_its_time_and_counts_only_attempts(book: Any) -> None:
    claim = await book.claimed()
    assert await book.ledger.put_back(claim, 5.0, counts=False, message="busy")
    assert await book.ledger.waiting(10) == []
    book.clock.now += 5
    (job,) = await book.ledger.waiting(10)
    assert (job.attempts, job.message, job.started_at) == (0, "busy", None)
    claim = await book.ledger.claim(job, "here", 10.0)
    assert await book.ledger.put_back(claim, 0, counts=True, message="")
    assert (await book.ledger.get(job.id)).attempts == 1


async def test_a_clock_that_is_set_back_keeps_nobody_waiting(book: Any) -> None:
    first, second = await book.claimed(), await book.claimed()
    job = await book.enter()
    assert await book.ledger.put_back(first, 0, counts=False, message="")
    book.clock.now += 11
    assert await book.ledger.take_back(3, ERROR, book.clock.now) == 1
    book.clock.now -= 3600
    assert [one.id for one in await book.ledger.waiting(10)] == [first.job.id, second.job.id, job.id]


async def test_a_clock_that_is_set_forward_ends_no_run_of_ones_own(book: Any) -> None:
    claim, lost = await book.claimed(), await book.claimed("there")
    book.clock.now += 3600
    assert await book.ledger.take_back(3, ERROR, book.clock.now, [claim.job.id]) == 1
    assert await book.ledger.renew(claim, 10.0, 0.5, "")
    assert not await book.ledger.renew(lost, 10.0, 0.5, "")


async def test_what_a_service_says_can_be_kept_whatever_it_is(book: Any) -> None:
    claim = await book.claimed()
    assert await book.ledger.renew(claim, 10.0, 0.5, "a\0b")
    assert (await book.ledger.get(claim.job.id)).message == "ab"
    assert await book.ledger.put_back(claim, 0, counts=True, message="\0c" * 300)
    assert (await book.ledger.get(claim.job.id)).message == "c" * 200


async def test_cancelling_a_run_ends_its_claim(book: Any) -> None:
    claim = await book.claimed()
    assert await book.ledger.cancel(claim.job.id, book.clock.now + 60)
    assert not await book.ledger.renew(claim, 10.0, 0.9, "")
    assert not await book.ledger.complete(claim, RESULT, book.clock.now, HERE, {})
    assert (await book.ledger.get(claim.job.id)).state is State.CANCELLED


async def test_a_job_that_ended_is_forgotten_in_time_and_never_one_that_has_not(book: Any) -> None:
    claim = await book.claimed()
    waiting = await book.enter(wait=1.0)
    await book.ledger.fail(claim, ERROR, book.clock.now + 60, HERE)
    assert await book.ledger.expired(10) == []
    book.clock.now += 61
    assert await book.ledger.expired(10) == [claim.job.id]
    await book.ledger.forget([claim.job.id, waiting.id])
    assert await book.ledger.get(claim.job.id) is None
    assert await book.ledger.get(waiting.id) is not None


async def test_with_a_job_goes_what_its_runs_have_made(book: Any, tmp_path: Path) -> None:
    blobs = Blobs(BlobAddress(folder=tmp_path / "files"))
    await blobs.open()
    files = Files(book.database, blobs, book.clock)
    claim, waiting = await book.claimed(), await book.enter()
    made = {"first": claim.job.id, "second": claim.job.id, "other": waiting.id, "nobody's": None}
    for name, job in made.items():
        await files.keep(KeptFile(name, "artifact", "someone", name, "image/png", 1.0, job=job), b"png")
    await book.ledger.fail(claim, ERROR, book.clock.now + 60, HERE)
    await book.ledger.forget([claim.job.id, waiting.id])
    found = {name: await files.find(name, "artifact") for name in made}
    assert [name for name, file in found.items() if file] == ["other", "nobody's"]
    assert await files.sweep() == 2
    assert [await blobs.size(f"artifacts/{name}") for name in made] == [None, None, 3, 3]


async def test_who_waits_beyond_the_time_is_told_so(book: Any) -> None:
    job = await book.enter(wait=10.0)
    assert await book.ledger.give_up_waiting(ERROR, book.clock.now + 60) == 0
    book.clock.now += 11
    assert await book.ledger.give_up_waiting(ERROR, book.clock.now + 60) == 1
    assert (await book.ledger.get(job.id)).state is State.FAILED


async def test_pages(book: Any) -> None:
    jobs = [await book.enter() for _ in range(5)]
    newest = await book.ledger.find(Query(limit=2))
    assert [job.id for job in newest] == [jobs[4].id, jobs[3].id, jobs[2].id]  # one more says that there are more
    rest = await book.ledger.find(Query(limit=10, after=jobs[3].id))
    assert [job.id for job in rest] == [job.id for job in reversed(jobs[:3])]
    oldest = await book.ledger.find(Query(limit=10, after=jobs[1].id, newest_first=False))
    assert [job.id for job in oldest] == [job.id for job in jobs[2:]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(token="a"), {"job_1", "job_2"}),
        (Query(operation="images.edits"), {"job_2"}),
        (Query(model="m"), {"job_3"}),
        (Query(state=State.CANCELLED), {"job_3"}),
        (Query(token="a", state=State.CANCELLED), set()),
    ],
)
async def test_filters(book: Any, query: Query, found: set[str]) -> None:
    await book.enter(token="a")
    await book.enter("images.edits", token="a")
    await book.enter(model="m", token="b")
    await book.ledger.cancel("job_3", book.clock.now + 60)
    assert {job.id for job in await book.ledger.find(replace(query, limit=10))} == found


async def test_what_is_usual_is_what_the_last_runs_took(book: Any) -> None:
    for seconds in (3.0, 5.0):
        claim = await book.claimed(model="m")
        book.clock.now += seconds
        await book.ledger.complete(claim, RESULT, book.clock.now + 60, HERE, {})
    assert await book.ledger.recent_seconds("ocr", "m") == pytest.approx([5.0, 3.0])
    assert await book.ledger.recent_seconds("ocr", None) == []


async def test_how_many_of_a_token_wait(book: Any) -> None:
    await book.claimed(token="a")
    await book.enter(token="a")
    await book.enter(token="b")
    assert await book.ledger.queued("a") == 1
