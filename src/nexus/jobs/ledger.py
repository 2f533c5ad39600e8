"""The ledger of jobs in the database: who may run what, and how it ended. Every change is one guarded statement.

Laws: a job is claimed by at most one owner at a time; only its claim may write how it ended; what has ended never
runs again. That several gateways share a database changes none of it, nor does a clock that is set.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update

from nexus.jobs.values import ENDED, Claim, Job, Order, Query, Result, State
from nexus.store.database import Database
from nexus.store.files import hiding
from nexus.store.tables import files, jobs

_ENDED: Final = tuple(state.value for state in ENDED)
_RECENT: Final = 20  # how many runs say what is usual
_AT_ONCE: Final = 0.0  # also where another gateway's clock is behind, or this one is set back


class Ledger:
    """All that is known of jobs. Every method may raise DatabaseError."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def enter(self, order: Order, expires_at: float) -> Job:
        """Write down a new job. It waits until `expires_at` at most."""
        now = self._now()
        row = {
            "id": order.id,
            "operation": order.operation,
            "model": order.model,
            "token": order.token,
            "state": State.QUEUED.value,
            "created_at": now,
            "available_at": _AT_ONCE,
            "expires_at": expires_at,
            "path": order.path,
            "content_type": order.content_type,
            "request_bytes": order.size,
            "request_key": order.key,
            "request_id": order.request_id,
            "base_url": order.base_url,
            "details": dict(order.details),
        }
        async with self._database.begin() as connection:
            await connection.execute(insert(jobs).values(row))
        job = await self.get(order.id)
        if job is None:
            raise LookupError(f"the job {order.id} is gone already")
        return job

    async def get(self, identity: str, token: str | None = None) -> Job | None:
        """The job; None where there is none, or where it is not `token`'s."""
        wanted = jobs.c.id == identity
        if token is not None:
            wanted = and_(wanted, jobs.c.token == token)
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(wanted))).first()
        return None if row is None else _job(row)

    async def find(self, query: Query) -> list[Job]:
        """A page of jobs, one more than `limit` where there are more."""
        wanted: list[ColumnElement[bool]] = []
        if query.token is not None:
            wanted.append(jobs.c.token == query.token)
        if query.state is not None:
            wanted.append(jobs.c.state == query.state.value)
        if query.operation is not None:
            wanted.append(jobs.c.operation == query.operation)
        if query.model is not None:
            wanted.append(jobs.c.model == query.model)
        if query.after is not None:
            last = select(jobs.c.seq).where(jobs.c.id == query.after).scalar_subquery()
            wanted.append(jobs.c.seq < last if query.newest_first else jobs.c.seq > last)
        order = jobs.c.seq.desc() if query.newest_first else jobs.c.seq.asc()
        statement = select(jobs).where(*wanted).order_by(order).limit(query.limit + 1)
        async with self._database.read() as connection:
            return [_job(row) for row in await connection.execute(statement)]

    async def waiting(self, limit: int) -> list[Job]:
        """Those that may be begun now, first come first."""
        statement = (
            select(jobs)
            .where(jobs.c.state == State.QUEUED.value, jobs.c.available_at <= self._now())
            .order_by(jobs.c.seq)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_job(row) for row in await connection.execute(statement)]

    async def queued(self, token: str) -> int:
        """How many jobs of a token wait."""
        wanted = and_(jobs.c.state == State.QUEUED.value, jobs.c.token == token)
        async with self._database.read() as connection:
            return int((await connection.execute(select(func.count()).where(wanted))).scalar_one())

    async def queue_lengths(self) -> dict[str, int]:
        """How many jobs wait, everybody's, by operation; found by the index on the state, however many have ended."""
        statement = select(jobs.c.operation, func.count()).where(jobs.c.state == State.QUEUED.value)
        async with self._database.read() as connection:
            rows = await connection.execute(statement.group_by(jobs.c.operation))
            return {operation: int(count) for operation, count in rows}

    async def position(self, job: Job) -> int:
        """Its place among those that wait for the same: 1 is next."""
        same = jobs.c.model.is_(None) if job.order.model is None else jobs.c.model == job.order.model
        wanted = and_(
            jobs.c.state == State.QUEUED.value, jobs.c.operation == job.order.operation, same, jobs.c.seq < job.seq
        )
        async with self._database.read() as connection:
            return 1 + int((await connection.execute(select(func.count()).where(wanted))).scalar_one())

    async def recent_seconds(self, operation: str, model: str | None) -> list[float]:
        """How long the last completed runs of a kind took."""
        same = jobs.c.model.is_(None) if model is None else jobs.c.model == model
        statement = (
            select(jobs.c.finished_at - jobs.c.started_at)
            .where(jobs.c.state == State.COMPLETED.value, jobs.c.operation == operation, same)
            .order_by(jobs.c.seq.desc())
            .limit(_RECENT)
        )
        async with self._database.read() as connection:
            return [float(seconds) for (seconds,) in await connection.execute(statement) if seconds is not None]

    async def claim(self, job: Job, owner: str, seconds: float) -> Claim | None:
        """The right to run a queued job for `seconds` (`renew` it); None where somebody else was faster."""
        now = self._now()
        statement = (
            update(jobs)
            .where(jobs.c.id == job.id, jobs.c.state == State.QUEUED.value)
            .values(
                state=State.RUNNING.value,
                owner=owner,
                lease_until=now + seconds,
                attempts=jobs.c.attempts + 1,
                started_at=now,
                progress=0.0,
                message="",
            )
        )
        if not await self._changed(statement):
            return None
        claimed = await self.get(job.id)
        return None if claimed is None else Claim(claimed, owner, claimed.attempts)

    async def renew(self, claim: Claim, seconds: float, progress: float, message: str) -> bool:
        """Keep the claim, and tell how far the run is. False: it was cancelled, or given to somebody else."""
        values = {"lease_until": self._now() + seconds, "progress": progress, "message": _told(message)}
        return await self._changed(update(jobs).where(_held(claim)).values(values))

    async def complete(
        self, claim: Claim, result: Result, expires_at: float, where: tuple[str, str], details: Mapping[str, Any]
    ) -> bool:
        """Write down the result; `where` names service and instance. False: the claim holds no more, and so nothing."""
        values = {
            "state": State.COMPLETED.value,
            "progress": 1.0,
            "message": "",
            "finished_at": self._now(),
            "expires_at": expires_at,
            "result_status": result.status,
            "result_type": result.media_type,
            "result_bytes": result.size,
            "result_key": result.key,
            "service": where[0],
            "instance": where[1],
            "details": {**claim.job.order.details, **details},
            **_NOBODY,
        }
        return await self._changed(update(jobs).where(_held(claim)).values(values))

    async def fail(self, claim: Claim, error: Mapping[str, Any], expires_at: float, where: tuple[str, str]) -> bool:
        """Write down that it failed for good."""
        values = {
            "state": State.FAILED.value,
            "finished_at": self._now(),
            "expires_at": expires_at,
            "error": dict(error),
            "service": where[0],
            "instance": where[1],
            **_NOBODY,
        }
        return await self._changed(update(jobs).where(_held(claim)).values(values))

    async def put_back(
        self, claim: Claim, seconds: float, *, counts: bool, message: str, where: tuple[str, str] = ("", "")
    ) -> bool:
        """Let it wait again, for `seconds` at least; a run that was no attempt is not counted. `where` names the
        service and the instance at which it broke off, if it did."""
        values = {
            "state": State.QUEUED.value,
            "available_at": self._now() + seconds if seconds else _AT_ONCE,
            "attempts": claim.attempt if counts else claim.attempt - 1,
            "started_at": None,
            "progress": 0.0,
            "message": _told(message),
            "service": where[0],
            "instance": where[1],
            **_NOBODY,
        }
        return await self._changed(update(jobs).where(_held(claim)).values(values))

    async def cancel(self, identity: str, expires_at: float) -> bool:
        """Cancel a job that waits or runs; whoever runs it finds its claim gone."""
        values = {
            "state": State.CANCELLED.value,
            "finished_at": self._now(),
            "expires_at": expires_at,
            "message": "",
            **_NOBODY,
        }
        open_ = and_(jobs.c.id == identity, jobs.c.state.not_in(_ENDED))
        return await self._changed(update(jobs).where(open_).values(values))

    async def take_back(
        self, most_attempts: int, lost: Mapping[str, Any], expires_at: float, spared: Collection[str] = ()
    ) -> int:
        """Let the jobs of owners that are silent wait again; those that were lost too often have failed.

        `spared` are those that the caller knows to run, whatever the clock says: it may just have been set.
        """
        now = self._now()
        silent = and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until < now, jobs.c.id.not_in(spared))
        waits = {"state": State.QUEUED.value, "available_at": _AT_ONCE, "progress": 0.0, "started_at": None, **_NOBODY}
        failed = {"state": State.FAILED.value, "finished_at": now, "expires_at": expires_at, "error": dict(lost)}
        async with self._database.begin() as connection:
            again = await connection.execute(update(jobs).where(silent, jobs.c.attempts < most_attempts).values(waits))
            gone = await connection.execute(update(jobs).where(silent).values({**failed, **_NOBODY}))
        return int(again.rowcount) + int(gone.rowcount)

    async def give_up_waiting(self, error: Mapping[str, Any], expires_at: float) -> int:
        """Fail the jobs that nobody could begin before their time was over."""
        overdue = and_(jobs.c.state == State.QUEUED.value, jobs.c.expires_at < self._now())
        values = {"state": State.FAILED.value, "finished_at": self._now(), "expires_at": expires_at}
        return await self._count(update(jobs).where(overdue).values({**values, "error": dict(error)}))

    async def expired(self, limit: int) -> list[str]:
        """The ids of jobs that ended so long ago that they are not kept."""
        wanted = and_(jobs.c.state.in_(_ENDED), jobs.c.expires_at < self._now())
        async with self._database.read() as connection:
            return [row.id for row in await connection.execute(select(jobs.c.id).where(wanted).limit(limit))]

    async def forget(self, identities: Sequence[str]) -> None:
        """Remove jobs that have ended; with them goes what their runs have made, for nobody to find."""
        named = jobs.c.id.in_(identities)
        left = files.c.job.not_in(select(jobs.c.id).where(named))
        async with self._database.begin() as connection:
            await connection.execute(delete(jobs).where(named, jobs.c.state.in_(_ENDED)))
            await connection.execute(hiding(and_(files.c.job.in_(identities), left), self._now()))

    async def _changed(self, statement: Any) -> bool:
        return await self._count(statement) == 1

    async def _count(self, statement: Any) -> int:
        async with self._database.begin() as connection:
            return int((await connection.execute(statement)).rowcount)


_NOBODY: Final[dict[str, Any]] = {"owner": None, "lease_until": None}


def _told(message: str) -> str:
    """What a service says, as it can be kept: PostgreSQL's text has no NUL."""
    return message.replace("\0", "")[:200]


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(
        jobs.c.id == claim.job.id,
        jobs.c.state == State.RUNNING.value,
        jobs.c.owner == claim.owner,
        jobs.c.attempts == claim.attempt,
    )


def _job(row: Row[Any]) -> Job:
    result = None
    if row.result_key is not None:
        result = Result(row.result_status, row.result_type, row.result_bytes, row.result_key)
    order = Order(
        row.id,
        row.operation,
        row.path,
        row.content_type,
        row.request_key,
        row.request_bytes,
        row.token,
        row.model,
        row.request_id,
        row.base_url,
        row.details or {},
    )
    return Job(
        row.seq,
        order,
        State(row.state),
        row.created_at,
        row.progress,
        row.message,
        row.attempts,
        row.started_at,
        row.finished_at,
        row.expires_at,
        result,
        row.error,
        row.service,
        row.instance,
    )
