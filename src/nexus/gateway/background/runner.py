"""Begins the jobs that wait, as many as their engines take, and clears away what is no longer kept."""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from nexus.contract.errors import INTERNAL_ERROR, NO_READY_SERVICE, ApiError
from nexus.contract.operations import BY_NAME
from nexus.gateway.background.bell import Bell
from nexus.gateway.background.desk import forget, places_at
from nexus.gateway.background.progress import Watcher
from nexus.gateway.background.run import CLAIM_SECONDS, Run, Story, body_of
from nexus.gateway.endpoints import Endpoint, standard
from nexus.gateway.queue.turns import Turns
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.routes import bounded, route_for
from nexus.gateway.routing.keeping import read_kept
from nexus.gateway.storage import Opened, Store
from nexus.jobs.outcome import LATER_SECONDS
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Claim, Job
from nexus.policies.routing.rule import Within
from nexus.policies.token import Bearer
from nexus.store.errors import StoreError

LOOK_SECONDS: Final = 1.0
CLEAR_SECONDS: Final = 10.0
HAND_BACK_SECONDS: Final = 5.0
_WINDOW: Final = 500  # jobs that are looked at in one round
_BATCH: Final = 100
_log: Final = logging.getLogger(__name__)
_LOST: Final = ApiError(INTERNAL_ERROR, "The gateways that ran this job were lost each time.", code="job_lost")
_WAITED: Final = ApiError(NO_READY_SERVICE, "Nobody could begin this job in time.", code="job_expired")


class Runner:
    """One a gateway. `run` goes on until it is cancelled; `close` hands back what runs. `bearer`: who has a name."""

    def __init__(
        self,
        store: Store,
        snapshot: Callable[[], Snapshot],
        in_flight: Callable[[str], int],
        turns: Turns,
        rules: Callable[[], JobRules],
        story: Story,
        bearer: Callable[[str], Bearer],
        fetcher: Fetcher,
        bell: Bell,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._in_flight = in_flight
        self._turns = turns
        self._rules = rules
        self._story = story
        self._bearer = bearer
        self._fetcher = fetcher
        self._bell = bell
        self._owner = f"gateway-{secrets.token_hex(8)}"
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clear_at = 0.0

    def stop(self, identity: str) -> None:
        """End a run of this gateway at once; no harm where there is none."""
        run = self._runs.get(identity)
        if run is not None:
            run.stop()

    def running(self) -> Counter[str]:
        """How many jobs run in this gateway now, by operation."""
        return Counter(run.operation for run in self._runs.values())

    async def run(self) -> None:
        """Begin what waits, round after round."""
        while True:
            try:
                opened = await self._store.opened()
                await self._clear(opened)
                await self._round(opened)
            except (StoreError, ApiError) as error:
                _log.warning("jobs cannot be looked at: %s", error)
            except Exception:  # noqa: BLE001 - whatever is wrong with one job or the database, no job would ever run again
                _log.exception("looking at jobs failed")
            await self._bell.wait(LOOK_SECONDS)

    async def close(self) -> None:
        """Hand back what runs, so that the next gateway begins it anew at once."""
        await asyncio.gather(*(_handed_back(run) for run in tuple(self._runs.values())))
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)  # whoever closes the storage next must find nobody at it

    async def _round(self, opened: Opened) -> None:
        full: set[tuple[str, str | None, Within | None]] = set()
        for job in await opened.ledger.waiting(_WINDOW):
            routed = read_kept(job.order.details)
            kind = (job.order.operation, job.order.model, None if routed is None else routed.within)
            if kind in full or job.id in self._runs:  # a run that has lost its claim is about to notice that
                continue
            if not self._has_room(*kind):
                full.add(kind)
                continue
            claim = await opened.ledger.claim(job, self._owner, CLAIM_SECONDS)
            if claim is not None:
                await self._begin(opened, claim)

    def _has_room(self, operation: str, model: str | None, within: Within | None) -> bool:
        """Whether one of those who are ready takes one more call.

        Where clients wait for places, or for the model to be loaded, one run may wait among them: it gets its turn.
        """
        route = route_for(operation, model, self._snapshot())
        if within is not None:
            route = bounded(route, within)
        ready = route.ready
        free = sum(max(0, places_at(target) - self._in_flight(target.instance.url)) for target in ready)
        may_wait = self._turns.waiting > 0 if ready else any(target.is_cold for target in route.waiting)
        return max(free, int(may_wait)) > sum(run.is_unsent(operation, model) for run in self._runs.values())

    async def _begin(self, opened: Opened, claim: Claim) -> None:
        try:
            body = await body_of(opened, claim.job)
        except StoreError:
            await opened.ledger.put_back(claim, LATER_SECONDS, counts=False, message="its request cannot be read")
            raise
        if body is None:
            error = ApiError(INTERNAL_ERROR, "What this job was asked for is gone from the storage.")
            await opened.ledger.fail(claim, error.envelope()["error"], time.time() + self._rules().keep, ("", ""))
            return
        run = Run(claim, opened, self._story, Watcher(self._fetcher.get), self._rules())
        run.begin(endpoint_of(claim.job), body, self._bearer(claim.job.order.token))
        self._runs[claim.job.id] = run
        task = asyncio.create_task(self._carry_out(run, claim.job.id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._bell.ring()

    async def _carry_out(self, run: Run, identity: str) -> None:
        try:
            await run.go()
        except StoreError as error:
            _log.warning("the end of a job could not be written down: %s", error)
        finally:
            del self._runs[identity]
            self._bell.ring()

    async def _clear(self, opened: Opened) -> None:
        """Take back what silent gateways ran; forget what has ended long ago."""
        rules = self._rules()
        until = time.time() + rules.keep
        await opened.ledger.take_back(rules.max_attempts, _LOST.envelope()["error"], until, tuple(self._runs))
        if time.monotonic() < self._clear_at:
            return
        self._clear_at = time.monotonic() + CLEAR_SECONDS
        await opened.ledger.give_up_waiting(_WAITED.envelope()["error"], until)
        for identity in await opened.ledger.expired(_BATCH):
            await forget(opened, identity)


async def _handed_back(run: Run) -> None:
    """Hand it back, if the database takes that soon; else its claim runs out by itself."""
    try:
        async with asyncio.timeout(HAND_BACK_SECONDS):
            await run.hand_back()
    except (StoreError, TimeoutError) as error:
        _log.warning("a job could not be handed back: %s", str(error) or "the database does not answer")


def endpoint_of(job: Job) -> Endpoint:
    """The row that a job's call is served by: the call itself, which is not put off again."""
    operation = BY_NAME.get(job.order.operation)
    if operation is None:
        return Endpoint(job.order.operation, "POST", job.order.path.partition("?")[0], job="running")
    return msgspec.structs.replace(standard(operation), job="running")
