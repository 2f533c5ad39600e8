"""Takes calls that are answered later, tells how they are, and calls them off."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nexus.contract.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    KINDS,
    MODEL_NOT_FOUND,
    NOT_FOUND,
    OVERLOADED,
    ApiError,
)
from nexus.gateway.background.bell import Bell
from nexus.gateway.background.view import job_view
from nexus.gateway.plan.refusal import refusal
from nexus.gateway.registry.snapshot import Snapshot, Target
from nexus.gateway.routes import route_for
from nexus.gateway.routing.keeping import kept
from nexus.gateway.storage import Opened, Store
from nexus.gateway.values import Call, Headers
from nexus.jobs import estimate
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Job, Order, Query, State
from nexus.policies.policy import Policy

_JSON: Final = (b"content-type", b"application/json")
LOOK_SECONDS: Final = 0.5  # how often a job is looked at that another gateway may be running


@dataclass(frozen=True, slots=True)
class Places:
    """What `Desk` reads of the rest of the gateway, afresh each time; `view` is what a policy lets be seen."""

    view: Callable[[Policy | None], Snapshot]
    rules: Callable[[], JobRules]
    now: Callable[[], float]


class Desk:
    """Everything that is asked about jobs. `stop` ends a run that goes on in this very gateway."""

    def __init__(self, store: Store, places: Places, bell: Bell, stop: Callable[[str], None]) -> None:
        self._store = store
        self._places = places
        self._bell = bell
        self._stop = stop
        self._entries: set[asyncio.Task[Job]] = set()

    async def accept(
        self, call: Call, base_url: str, details: Mapping[str, Any] | None = None, prefix: str = "job"
    ) -> Job:
        """Write the call down as a job. Raises ApiError: 404 for a model nobody has, 503 where nobody could ever run it
        or too many wait, and what the storage says."""
        self._refuse_impossible(call)
        opened = await self._store.opened()
        request = call.request
        rules = self._places.rules()
        if await opened.ledger.queued(request.head.token) >= rules.max_queued:
            raise ApiError(OVERLOADED, f"{rules.max_queued} jobs wait already; try again later.", retry_after=10)
        identity = f"{prefix}_{secrets.token_hex(16)}"
        order = Order(
            id=identity,
            operation=request.endpoint.operation,
            path=request.head.target,
            content_type=request.head.content_type.decode("latin-1"),
            key=f"{folder(identity)}request",
            size=len(request.body),
            token=request.head.token,
            model=call.model,
            request_id=request.request_id,
            base_url=base_url,
            details={**(details or {}), **kept(call.routed)},
        )
        entry = asyncio.create_task(self._enter(opened, order, request.body, self._places.now() + rules.max_wait))
        self._entries.add(entry)
        entry.add_done_callback(self._entries.discard)
        return await asyncio.shield(entry)

    async def _enter(self, opened: Opened, order: Order, body: bytes, until: float) -> Job:
        """Bytes and row, both or none: a client that leaves meanwhile must not break this off between them."""
        await opened.blobs.put(order.key, body)
        try:
            job = await opened.ledger.enter(order, until)
        except BaseException:  # cancelled or not: no bytes without their row
            await opened.blobs.delete([order.key])
            raise
        self._bell.ring()
        return job

    async def find(self, identity: str, token: str | None) -> Job:
        """The job. Raises ApiError (404) where there is none, or none of this token's."""
        opened = await self._store.opened()
        job = await opened.ledger.get(identity, token)
        if job is None:
            raise ApiError(NOT_FOUND, f"There is no job {identity!r}.", param="id")
        return job

    async def page(self, query: Query) -> tuple[list[Job], bool]:
        """The jobs that are asked for, and whether there are more behind them. Raises ApiError (400)."""
        opened = await self._store.opened()
        if query.after is not None and await opened.ledger.get(query.after, query.token) is None:
            raise ApiError(INVALID_REQUEST, f"after: there is no {query.after!r}.", param="after")
        found = await opened.ledger.find(query)
        return found[: query.limit], len(found) > query.limit

    async def settled(self, job: Job, seconds: float) -> Job:
        """The job as it is when it has ended, or after so long."""
        opened = await self._store.opened()
        now = asyncio.get_running_loop().time  # never set, as the clock on the wall may be
        deadline = now() + seconds
        while not job.ended and (left := deadline - now()) > 0:
            await self._bell.wait(min(left, LOOK_SECONDS))
            job = await opened.ledger.get(job.id) or job
        return job

    async def changed(self, job: Job) -> Job | None:
        """The job once something of it has changed, waited for a moment; None where it is forgotten."""
        opened = await self._store.opened()
        await self._bell.wait(LOOK_SECONDS)
        return await opened.ledger.get(job.id)

    async def view(self, job: Job) -> dict[str, Any]:
        """The job as clients see it, with its place and what is left."""
        opened = await self._store.opened()
        if job.ended:
            return job_view(job, None, None)
        usual = estimate.usual(await opened.ledger.recent_seconds(job.order.operation, job.order.model))
        if job.state is State.RUNNING:
            running = self._places.now() - (job.started_at or self._places.now())
            return job_view(job, None, estimate.left(job.progress, running, usual))
        position = await opened.ledger.position(job)
        return job_view(job, position, estimate.wait(position, self._capacity(job), usual))

    async def answer(self, job: Job) -> tuple[int, Headers, bytes]:
        """What a client is told that waited for the job: its result, why it failed, or (202) the job itself."""
        if job.result is not None:
            lines = [(b"content-type", job.result.media_type.encode("latin-1")), (b"x-nexus-job", job.id.encode())]
            return job.result.status, lines, await self.result(job)
        if job.error is not None:
            body = msgspec.json.encode({"error": dict(job.error)})
            return _status_of(job.error), [_JSON, (b"x-nexus-job", job.id.encode())], body
        location = (b"location", f"/v1/jobs/{job.id}".encode())
        lines = [_JSON, location, (b"preference-applied", b"respond-async"), (b"x-nexus-job", job.id.encode())]
        return 202, lines, msgspec.json.encode(await self.view(job))

    async def result(self, job: Job) -> bytes:
        """The answer's body, whole. Raises ApiError where the job has none."""
        opened = await self._store.opened()
        if job.result is None:
            raise no_result(job)
        return await opened.blobs.get(job.result.key)

    async def cancel(self, job: Job) -> Job:
        """Call the job off, wherever it runs; one that has ended stays as it is."""
        opened = await self._store.opened()
        if await opened.ledger.cancel(job.id, self._places.now() + self._places.rules().keep):
            self._stop(job.id)
            self._bell.ring()
        return await self.find(job.id, None)

    async def forget(self, job: Job) -> None:
        """Remove an ended job with all that belongs to it."""
        await forget(await self._store.opened(), job.id)

    def _capacity(self, job: Job) -> int:
        ready = route_for(job.order.operation, job.order.model, self._places.view(None)).ready
        return sum(places_at(target) for target in ready)

    def _refuse_impossible(self, call: Call) -> None:
        snapshot = self._places.view(call.request.head.bearer.policy)
        route = route_for(call.request.endpoint.operation, call.model, snapshot)
        if not route.ready and not route.waiting:
            error = refusal(call, route, snapshot)
            if error.kind is MODEL_NOT_FOUND or snapshot.settled:
                raise error


def _status_of(error: Mapping[str, Any]) -> int:
    """The HTTP status that goes with an error: by its code, else by its type."""
    by_code = {kind.code: kind.status for kind in KINDS}
    by_type = {kind.type: kind.status for kind in reversed(KINDS)}
    return by_code.get(error.get("code", "")) or by_type.get(error.get("type", "")) or INTERNAL_ERROR.status


async def forget(opened: Opened, identity: str) -> None:
    """Remove an ended job: its bytes first, so that nothing is left that no row tells of."""
    await opened.blobs.delete_prefix(folder(identity))
    await opened.ledger.forget([identity])


def folder(identity: str) -> str:
    """Where the bytes of a job lie."""
    return f"jobs/{identity}/"


def places_at(target: Target) -> int:
    """How many calls an instance takes at once, as its card says."""
    card = target.instance.card
    return card.capabilities.max_concurrency if card else 1


def no_result(job: Job) -> ApiError:
    """Why there is no result."""
    return ApiError(NOT_FOUND, f"The job {job.id} has no result: it is {job.state.value}.")
