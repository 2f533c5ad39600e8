"""What waits and runs, counted on a real database: once a second, and never in the way of whoever scrapes."""

import asyncio
import time
from collections import Counter

import pytest

from nexus.gateway.background import tally as module
from nexus.gateway.background.tally import FRESH_SECONDS, Tally
from nexus.gateway.values import Queue
from nexus.store.errors import DatabaseError
from tests.servers.peer import Peer


@pytest.fixture
def tally(office) -> Tally:
    return Tally(office.store, Counter, office.clock)


async def test_what_waits_is_counted(office, music, tally: Tally) -> None:
    assert tally.queue == Queue()
    music()
    for _ in range(3):
        await office.accept()
    await tally.look()
    assert tally.queue == Queue({"music.generations": 3}, {"music.generations": 0})


async def test_it_is_counted_anew_only_after_a_second(office, music, tally: Tally) -> None:
    music()
    await tally.look()
    await office.accept()
    office.clock.now += FRESH_SECONDS * 0.9
    await tally.look()
    assert tally.queue.waiting == {}
    office.clock.now += FRESH_SECONDS * 0.1
    await tally.look()
    assert tally.queue.waiting == {"music.generations": 1}


async def test_many_who_scrape_at_once_ask_the_database_once(office, tally: Tally, monkeypatch) -> None:
    asked: list[int] = []

    async def count() -> dict[str, int]:
        asked.append(1)
        await asyncio.sleep(0)
        return {"ocr": 5}

    monkeypatch.setattr(office.ledger, "queue_lengths", count)
    await asyncio.gather(*(tally.look() for _ in range(10)))
    assert (len(asked), tally.queue.waiting) == (1, {"ocr": 5})


async def test_an_operation_without_jobs_is_told_once_it_had_some(office, music, tally: Tally) -> None:
    music()
    job = await office.accept()
    await tally.look()
    await office.desk.cancel(job)
    office.clock.now += FRESH_SECONDS
    await tally.look()
    assert tally.queue.waiting == {"music.generations": 0}


async def test_the_runners_own_runs_are_told_as_they_are_now(office, music, peer: Peer) -> None:
    music()
    runner = office.start()
    tally = Tally(office.store, runner.running, office.clock)
    first, _second = [await office.accept() for _ in range(2)]
    side = await peer.called()
    await tally.look()
    assert tally.queue == Queue({"music.generations": 1}, {"music.generations": 1})
    await office.desk.cancel(first)
    await side.closed()
    await peer.called()
    office.clock.now += FRESH_SECONDS
    await tally.look()
    assert tally.queue == Queue({"music.generations": 0}, {"music.generations": 1})


async def test_a_database_that_fails_tells_nothing_rather_than_something_old(office, music, tally, monkeypatch) -> None:
    music()
    await office.accept()
    await tally.look()

    async def fail() -> dict[str, int]:
        raise DatabaseError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(office.ledger, "queue_lengths", fail)
        office.clock.now += FRESH_SECONDS
        await tally.look()
        assert tally.queue.waiting == {}
    office.clock.now += FRESH_SECONDS
    await tally.look()
    assert tally.queue.waiting == {"music.generations": 1}


async def test_a_database_that_hangs_holds_nobody_up(office, tally, monkeypatch) -> None:
    async def hang() -> dict[str, int]:
        return await asyncio.Event().wait()

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(office.ledger, "queue_lengths", hang)
    began = time.monotonic()
    await asyncio.gather(tally.look(), tally.look())
    assert time.monotonic() - began < 2
    assert tally.queue == Queue()
