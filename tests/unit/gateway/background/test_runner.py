"""The runner before a real service: as many at once as it takes, each once, and nothing lost when parts fail."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from nexus.gateway.background import run as run_module
from nexus.gateway.background import runner as module
from nexus.gateway.background.run import CLAIM_SECONDS
from nexus.gateway.background.runner import endpoint_of
from nexus.gateway.endpoints import Endpoint, find
from nexus.gateway.references import References
from nexus.gateway.registry.snapshot import State as InstanceState
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.relay.result import Relayed
from nexus.gateway.siding import Siding
from nexus.gateway.values import Plan, Timeouts
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Job, State
from nexus.store.errors import BlobError
from nexus.store.rows import KeptFile
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_call, make_instance
from tests.servers.peer import Peer

WAV = b"content-type: audio/wav"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)


def is_in(*states: State) -> Callable[[Job], bool]:
    return lambda job: job.state in states


async def test_a_job_is_run_and_its_answer_kept(office, music, peer: Peer) -> None:
    music()
    office.start()
    job = await office.accept()
    side = await peer.called()
    assert (await office.state(job)).state is State.RUNNING
    side.answer(b"sound", WAV)
    done = await office.until(job, is_in(State.COMPLETED))
    assert (done.attempts, done.service, done.instance) == (1, "music", "music-1")
    assert await office.desk.result(done) == b"sound"
    (outcome,) = office.recorded
    assert (outcome.status, outcome.request_id, outcome.token) == (200, job.id, "administrator")


async def test_progress_is_asked_for_and_told(office, music, peer: Peer) -> None:
    music()
    office.start()
    job = await office.accept()
    calling = await peer.accept()
    await calling.request()
    asking = await peer.accept()
    head, _ = await asking.request()
    assert head.startswith(b"GET /v1/calls/%b HTTP" % job.id.encode())
    asking.answer(b'{"progress":0.5,"message":"half"}')
    running = await office.until(job, lambda job: job.progress > 0)
    assert (running.state, running.progress, running.message) == (State.RUNNING, 0.5, "half")
    calling.answer()
    await office.until(job, is_in(State.COMPLETED))


async def test_no_more_run_at_once_than_the_service_takes(office, music, peer: Peer) -> None:
    music(places=2)
    jobs = [await office.accept() for _ in range(3)]
    office.start()
    sides = [await peer.called(), await peer.called()]
    await office.until(jobs[1], is_in(State.RUNNING))
    assert office.upstreams.in_flight(peer.url) == 2
    assert (await office.state(jobs[2])).state is State.QUEUED
    sides[0].answer()
    # A claim is written down before the call is sent, so for a moment there may be one call alone; never three.
    await office.until(jobs[2], lambda job: job.state is State.RUNNING and office.upstreams.in_flight(peer.url) == 2)


async def test_one_whose_service_is_not_there_holds_nobody_up(office, music, peer: Peer) -> None:
    office.show(make_instance("ocr", operations=("ocr",), models=()))
    waiting = await office.accept(b"{}", at=endpoint("ocr"))
    music()
    office.start()
    job = await office.accept()
    (await peer.called()).answer()
    await office.until(job, is_in(State.COMPLETED))
    assert (await office.state(waiting)).state is State.QUEUED


async def test_calls_whose_files_are_still_read_count_already(office, peer: Peer) -> None:
    """They are at no instance yet: a round that did not count them would begin all that wait."""
    office.show(make_instance("ocr", url=peer.url, operations=("ocr",), models=(), places=1))
    gate, reading = asyncio.Event(), []

    async def slowly(body: bytes, token: str) -> bytes:
        reading.append(body)
        await gate.wait()
        return body

    siding = Siding(office.desk, slowly, lambda *_: None, lambda host: "http://gw")
    jobs = [await office.accept(b'{"document":{"file_id":"f"}}', at=endpoint("ocr")) for _ in range(3)]
    office.start(siding=siding)
    await office.until(jobs[0], is_in(State.RUNNING))
    for _ in range(5):
        await asyncio.sleep(0.02)
        office.bell.ring()
    assert [(await office.state(job)).state for job in jobs] == [State.RUNNING, State.QUEUED, State.QUEUED]
    assert len(reading) == 1
    gate.set()
    for job in jobs:
        (await peer.called()).answer(b"{}", b"connection: close")
        await office.until(job, is_in(State.COMPLETED))


async def test_the_bytes_of_files_are_put_in_when_it_runs(office, peer: Peer) -> None:
    office.show(make_instance("ocr", url=peer.url, operations=("ocr",), models=()))
    await office.opened.files.keep(KeptFile("file-1", "file", "administrator", "a", "text/plain", 1.0), b"text")
    siding = Siding(office.desk, References(office.store, "root"), lambda *_: None, lambda host: "http://gw")
    office.start(siding=siding)
    job = await office.accept(b'{"document":{"type":"file","file_id":"file-1"}}', at=endpoint("ocr"))
    side = await peer.accept()
    _, body = await side.request()
    assert body == b'{"document":{"type":"document_url","document_url":"data:text/plain;base64,dGV4dA=="}}'
    side.answer()
    await office.until(job, is_in(State.COMPLETED))
    gone = await office.accept(b'{"document":{"type":"file","file_id":"file-2"}}', at=endpoint("ocr"))
    failed = await office.until(gone, is_in(State.FAILED))
    assert (failed.error["code"], failed.error["param"]) == ("not_found", "file_id")


async def test_calling_off_closes_the_connection_to_the_service(office, music, peer: Peer) -> None:
    music()
    office.start()
    job = await office.accept()
    side = await peer.called()
    await office.desk.cancel(job)
    await side.closed()
    assert (await office.state(job)).state is State.CANCELLED
    assert office.upstreams.in_flight(peer.url) == 0
    office.desk._stop("job_nowhere")


async def test_a_run_that_takes_longer_than_it_may_fails_for_good(office, music, peer: Peer) -> None:
    music()
    office.start(Timeouts(first_byte=0.05))
    job = await office.accept()
    side = await peer.called()
    failed = await office.until(job, is_in(State.FAILED))
    assert (failed.error["code"], failed.attempts) == ("upstream_timeout", 1)
    await side.closed()


async def test_one_that_takes_too_long_in_the_middle_of_its_answer_fails_for_good(office, music, peer: Peer) -> None:
    music()
    office.start(Timeouts(idle=0.05))
    job = await office.accept()
    side = await peer.called()
    side.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nso")
    failed = await office.until(job, is_in(State.FAILED))
    assert (failed.error["code"], failed.attempts) == ("upstream_timeout", 1)


async def test_a_service_that_breaks_off_is_asked_again_later(office, music, peer: Peer) -> None:
    music()
    office.start()
    job = await office.accept()
    (await peer.called()).close()
    again = await office.until(job, lambda job: job.attempts == 1 and job.state is State.QUEUED)
    assert again.message.startswith("music: ")
    office.clock.now += 5
    (await peer.called()).answer()
    assert (await office.until(job, is_in(State.COMPLETED))).attempts == 2


async def test_one_whose_request_is_gone_fails(office, music) -> None:
    music()
    job = await office.accept()
    await office.opened.blobs.delete([job.order.key])
    office.start()
    failed = await office.until(job, is_in(State.FAILED))
    assert (failed.error["code"], "gone" in failed.error["message"]) == ("internal_error", True)


async def test_a_storage_that_cannot_be_read_for_a_while_fails_nobody(
    office, music, peer: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    music()
    job = await office.accept()
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):

        async def fail(key: str) -> bytes:
            raise BlobError("the bucket is away")

        patched.setattr(office.opened.blobs, "get", fail)
        office.start()
        for _ in range(4):
            await office.until(job, lambda job: job.state is State.QUEUED and job.message != "")
            office.clock.now += 60
    assert any("the bucket is away" in record.message for record in caplog.records)
    office.clock.now += 60
    (await peer.called()).answer()
    done = await office.until(job, is_in(State.COMPLETED))
    assert done.attempts == 1


async def test_a_database_that_fails_for_a_while_ends_nothing(
    office, music, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    music()
    job = await office.accept()
    office.ledger.failures = 3
    with caplog.at_level(logging.WARNING):
        office.start()
        async with asyncio.timeout(10):
            while office.ledger.failures:
                office.bell.ring()
                await asyncio.sleep(0.005)
    assert any("the database is away" in record.message for record in caplog.records)
    office.clock.now += CLAIM_SECONDS + 1  # a claim may have been made that nobody heard of
    (await peer.called()).answer()
    await office.until(job, is_in(State.COMPLETED))


async def test_a_run_whose_claim_was_taken_back_ends_before_the_job_is_begun_anew(
    office, music, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a machine has slept: this very gateway takes back what it runs itself."""
    monkeypatch.setattr(run_module, "WATCH_SECONDS", 0.5)
    music(places=5)
    runner = office.start()
    job = await office.accept()
    first = await peer.called()
    old = runner._runs[job.id]
    office.clock.now += CLAIM_SECONDS + 1
    assert await office.ledger.take_back(3, {}, office.clock.now + 60) == 1
    for _ in range(10):
        office.bell.ring()
        await asyncio.sleep(0.01)
        assert old._scribe.ended.is_set() or (await office.state(job)).state is State.QUEUED
    second = await peer.called()
    await first.closed()
    assert runner._runs[job.id] is not old
    await office.until(job, is_in(State.RUNNING))
    await office.desk.cancel(job)
    await second.closed()
    async with asyncio.timeout(5):
        while runner._runs:
            await asyncio.sleep(0.005)


async def test_a_clock_that_is_set_forward_ends_no_run(office, music, peer: Peer) -> None:
    music()
    job = await office.accept()
    office.start()
    side = await peer.called()
    for _ in range(20):
        office.clock.now += 10 * CLAIM_SECONDS
        office.bell.ring()
        await asyncio.sleep(0.01)
    side.answer()
    done = await office.until(job, is_in(State.COMPLETED))
    assert (done.attempts, len(office.recorded)) == (1, 1)


async def test_what_silent_gateways_ran_is_run_here_and_given_up_in_the_end(office, music, peer: Peer) -> None:
    music()
    office.rules = JobRules(max_attempts=2)
    job = await office.accept()
    assert await office.ledger.claim(job, "killed", CLAIM_SECONDS) is not None
    office.start()
    office.clock.now += CLAIM_SECONDS + 1
    await peer.called()
    assert (await office.until(job, is_in(State.RUNNING))).attempts == 2

    lost = await office.accept()
    for owner in ("killed", "killed too"):
        assert await office.ledger.claim(await office.state(lost), owner, -1.0) is not None
        await office.until(lost, is_in(State.QUEUED, State.FAILED))
    failed = await office.state(lost)
    assert (failed.state, failed.error["code"]) == (State.FAILED, "job_lost")


async def test_who_waits_too_long_is_told_so_and_what_is_over_is_cleared_away(
    office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEAR_SECONDS", 0.0)
    office.show(make_instance("music", operations=("music.generations",), models=(), state=InstanceState.STARTING))
    office.rules = JobRules(max_wait=10)
    job = await office.accept()
    office.start()
    office.clock.now += 11
    failed = await office.until(job, is_in(State.FAILED))
    assert failed.error["code"] == "job_expired"
    assert failed.expires_at is not None
    made = KeptFile("made", "artifact", "administrator", "a.png", "image/png", 1.0, job=job.id)
    await office.opened.files.keep(made, b"png")
    assert await office.opened.files.find("made", "artifact") == replace(made, bytes=3)
    office.clock.now = failed.expires_at + 1
    async with asyncio.timeout(10):
        while await office.ledger.get(job.id) is not None:
            office.bell.ring()
            await asyncio.sleep(0.01)
    assert await office.opened.files.find("made", "artifact") is None
    assert await office.names() == [made.key]  # the sweep's, in its time


async def test_closing_hands_back_what_runs_and_leaves_nobody_at_the_storage(office, music, peer: Peer) -> None:
    music(places=2)
    runner = office.start()
    jobs = [await office.accept() for _ in range(2)]
    sides = [await peer.called(), await peer.called()]
    office.runners[0][1].cancel()
    await runner.close()
    assert not runner._tasks
    assert not runner._runs
    for side in sides:
        await side.closed()
    for job in jobs:
        found = await office.state(job)
        assert (found.state, found.attempts) == (State.QUEUED, 0)
    await runner.close()  # once more does no harm
    office.start()
    await peer.called()


async def test_closing_while_a_result_is_stored_leaves_nobody_at_it(office, music, peer: Peer) -> None:
    music()
    runner = office.start()
    job = await office.accept()
    side = await peer.called()
    office.opened.blobs.gated()
    side.answer(b"sound", WAV)
    await asyncio.wait_for(office.opened.blobs.putting.wait(), 5)
    office.runners[0][1].cancel()
    await runner.close()
    assert not runner._tasks
    assert not runner._runs
    found = await office.state(job)
    assert (found.state, found.attempts) == (State.QUEUED, 0)
    office.opened.blobs.gate.set()


async def test_closing_while_the_database_fails_stops_the_runs_all_the_same(
    office, music, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    music()
    runner = office.start()
    await office.accept()
    side = await peer.called()
    office.runners[0][1].cancel()
    office.ledger.failures = 1
    with caplog.at_level(logging.WARNING):
        await runner.close()
    await side.closed()
    assert any("could not be handed back" in record.message for record in caplog.records)
    office.ledger.failures = 0


async def test_a_database_that_hangs_does_not_hold_up_the_end(
    office, music, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HAND_BACK_SECONDS", 0.05)
    music(places=2)
    runner = office.start()
    for _ in range(2):
        await office.accept()
    sides = [await peer.called(), await peer.called()]

    async def hang(*_: object, **__: object) -> bool:
        return await asyncio.Event().wait()

    monkeypatch.setattr(office.ledger, "put_back", hang)
    monkeypatch.setattr(office.ledger, "renew", hang)
    office.runners[0][1].cancel()
    async with asyncio.timeout(5):
        await runner.close()
    for side in sides:
        await side.closed()


async def test_a_fault_in_one_round_does_not_end_the_rounds(
    office, music, peer: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    music()
    waiting = office.ledger.waiting
    rounds: list[int] = []

    async def fault_at_first(limit: int) -> list[Job]:
        rounds.append(limit)
        if len(rounds) == 1:
            raise ValueError("a fault of ours")
        return await waiting(limit)

    monkeypatch.setattr(office.ledger, "waiting", fault_at_first)
    job = await office.accept()
    with caplog.at_level(logging.ERROR):
        office.start()
        (await peer.called()).answer()
    await office.until(job, is_in(State.COMPLETED))
    assert any("looking at jobs failed" in record.message for record in caplog.records)


async def test_a_job_of_an_operation_that_only_a_card_describes(office, peer: Peer) -> None:
    described = {"operation": "greeter.greet", "method": "POST", "path": "/v1/greet", "job": True}
    office.show(make_instance("greeter", url=peer.url, operations=(), endpoints=(described,), models=()))
    at = find(b"POST", b"/v1/greet", office.snapshot)
    assert at == Endpoint("greeter.greet", "POST", "/v1/greet", job="wanted")
    office.start()
    job = await office.accept(b"\x00raw", None, content_type=b"application/x-own", at=at, query=b"a=1")
    side = await peer.accept()
    head, body = await side.request()
    assert head.startswith(b"POST /v1/greet?a=1 HTTP/1.1\r\n")
    assert b"content-type: application/x-own\r\n" in head
    assert body == b"\x00raw"
    side.answer(b"hello", b"content-type: text/plain")
    done = await office.until(job, is_in(State.COMPLETED))
    assert await office.desk.result(done) == b"hello"


async def test_the_row_of_a_run_is_its_call_itself_and_is_not_put_off_again(office, music) -> None:
    music()
    at = endpoint_of(await office.accept(query=b"a=1"))
    assert (at.operation, at.path, at.bodies, at.job) == (
        "music.generations",
        "/v1/music/generations",
        ("json",),
        "running",
    )


async def test_a_job_gets_its_turn_although_clients_always_take_each_free_place(office, music, peer: Peer) -> None:
    music(places=1)
    (instance,) = office.snapshot.instances
    pool = office.upstreams.pool(instance)
    pool.in_flight = 1
    caller = Caller()
    call, course = make_call(None, at=endpoint("music.generations")), Plan((Target(instance, None),), Timeouts())
    caller.start(office.turns.turn(call, lambda _: course, course, Relayed()))
    office.start()
    first, _ = await office.accept(), await office.accept()
    await office.until(first, is_in(State.RUNNING))
    async with asyncio.timeout(10):
        while office.turns.waiting < 2:  # it is claimed first, and its request read then
            await asyncio.sleep(0)
    assert sorted(key[3] for key in office.turns.counts()) == ["batch", "interactive"]
    pool.leave()
    await caller.result()
    (await peer.called()).answer(b"sound", WAV)
    assert (await office.until(first, is_in(State.COMPLETED))).attempts == 1
