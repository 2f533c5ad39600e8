"""Whatever several owners do to a job, and however that interleaves: it ends once, and never runs after its end."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from nexus.jobs.ledger import Ledger
from nexus.jobs.values import Claim, Job, Order, Result, State
from nexus.store.database import Database
from nexus.store.tables import jobs

OWNERS = ("a", "b", "c")
LEASE, MOST = 10.0, 3
ENDS = {"complete": State.COMPLETED, "fail": State.FAILED, "cancel": State.CANCELLED}

owned = st.tuples(
    st.sampled_from(("claim", "claim", "renew", "complete", "fail", "put back", "put back uncounted")),
    st.sampled_from(OWNERS),
)
others = st.sampled_from((("cancel", ""), ("take back", ""), ("time", "")))
batches = st.lists(st.lists(st.one_of(owned, owned, others), min_size=1, max_size=4), max_size=12)


class Owners:
    """Three gateways at one job. Each acts on the last claim that it was given, be it lost or not."""

    def __init__(self, ledger: Ledger, job: Job) -> None:
        self.now = 1_000_000.0
        self.ledger, self.job = ledger, job
        self.claims: dict[str, Claim] = {}
        self.ends: list[State] = []
        self.late: list[str] = []  # what succeeded although the job had ended before it was begun

    async def act(self, what: str, owner: str) -> bool:
        ended = bool(self.ends)
        done = await self._done(what, owner)
        if done and ended:
            self.late.append(what)
        return done

    async def _done(self, what: str, owner: str) -> bool:
        if what == "time":
            self.now += LEASE * 0.6
            return False
        if what == "take back":
            return await self._take_back()
        if what == "claim":
            claim = await self.ledger.claim(self.job, owner, LEASE)
            if claim is not None:
                self.claims[owner] = claim
            return claim is not None
        if what == "cancel":
            return self._ended(what, await self.ledger.cancel(self.job.id, self.now + 60))
        claim = self.claims.get(owner)
        if claim is None:
            return False
        if what == "renew":
            return await self.ledger.renew(claim, LEASE, 0.5, "")
        if what.startswith("put back"):
            return await self.ledger.put_back(claim, 0, counts=what == "put back", message="")
        if what == "fail":
            return self._ended(what, await self.ledger.fail(claim, {}, self.now + 60, ("", "")))
        result = Result(200, "text/plain", 1, f"{owner}/{claim.attempt}")
        return self._ended(what, await self.ledger.complete(claim, result, self.now + 60, ("", ""), {}))

    async def _take_back(self) -> bool:
        if not await self.ledger.take_back(MOST, {"code": "job_lost"}, self.now + 60):
            return False
        job = await self.ledger.get(self.job.id)
        assert job is not None
        if job.error == {"code": "job_lost"} and not self.ends:
            self.ends.append(State.FAILED)
            return False
        return not job.ended

    def _ended(self, what: str, told: bool) -> bool:
        if told:
            self.ends.append(ENDS[what])
        return told


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """One database for all examples, each of which has a job of its own."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/jobs.db"

        async def make() -> None:
            database = Database(url)
            await database.open()
            await database.close()

        asyncio.run(make())
        yield url


async def run(url: str, steps: list[list[tuple[str, str]]]) -> None:
    database = Database(url)
    try:
        owners: list[Owners] = []
        ledger = Ledger(database, lambda: owners[0].now if owners else 1_000_000.0)
        identity = f"job_{token_hex(8)}"
        order = Order(identity, "ocr", "/v1/ocr", "application/json", "k", 2, "someone")
        owners.append(Owners(ledger, await ledger.enter(order, 2_000_000.0)))
        await told(database, owners[0], steps)
        await ledger.cancel(identity, 0.0)
        await ledger.forget([identity])
    finally:
        await database.close()


async def told(database: Database, owners: Owners, steps: list[list[tuple[str, str]]]) -> None:
    ended: Job | None = None
    for batch in steps:
        before = await holder(database, owners.job)
        done = await asyncio.gather(*(owners.act(what, owner) for what, owner in batch))
        allow(batch, done, before)
        job = await owners.ledger.get(owners.job.id)
        assert job is not None
        assert len(owners.ends) <= 1, owners.ends
        assert not owners.late, owners.late
        assert job.ended == bool(owners.ends)
        if ended is not None:
            assert job == ended
        if job.ended:
            assert job.state is owners.ends[0]
            assert (job.result is not None) == (job.state is State.COMPLETED)
            assert not any([await owners.ledger.renew(claim, LEASE, 1.0, "") for claim in owners.claims.values()])
            assert [one.id for one in await owners.ledger.waiting(10)] == []
            ended = job
        owner = await holder(database, job)
        assert (owner is not None) == (job.state is State.RUNNING)
        assert owner is None or owners.claims[owner].attempt == job.attempts


def allow(batch: list[tuple[str, str]], done: list[bool], before: str | None) -> None:
    """One at a time, only the holder of the claim writes, and nobody is given it before that; at once, one is."""
    if len(batch) == 1 and done[0]:
        ((what, owner),) = batch
        assert what in ("cancel", "take back") or before == (None if what == "claim" else owner)
    if all(what == "claim" for what, _ in batch):
        assert sum(done) <= (before is None)


async def holder(database: Database, job: Job) -> str | None:
    """Who has the claim."""
    async with database.read() as connection:
        owner: str | None = (await connection.execute(select(jobs.c.owner).where(jobs.c.id == job.id))).scalar_one()
    return owner


@given(steps=batches)
@example(steps=[[("claim", "a")], [("put back uncounted", "a")], [("claim", "b")], [("complete", "a")]])
@example(steps=[[("claim", "a")], [("time", ""), ("time", "")], [("take back", "")], [("claim", "b")], [("fail", "a")]])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_job_ends_once_and_never_runs_after_its_end(url: str, steps: list[list[tuple[str, str]]]) -> None:
    asyncio.run(run(url, steps))
