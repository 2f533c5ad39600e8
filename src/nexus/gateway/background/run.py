"""One run of a job: its story told to a scribe, watched while it goes on, and written down once.

Laws: a result is stored before it is told of; whoever has lost the claim tells of nothing and leaves nothing behind.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from nexus.contract.errors import INTERNAL_ERROR, UPSTREAM_ERROR, ApiError
from nexus.gateway.background.desk import folder
from nexus.gateway.background.progress import Watcher
from nexus.gateway.background.results import Part, split
from nexus.gateway.background.scribe import Scribe, envelope_of
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.drive import Signal
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.routing.keeping import read_kept
from nexus.gateway.storage import Opened
from nexus.gateway.values import Client, ClientGoneError, Head, Request
from nexus.jobs.outcome import again
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Claim, Job, Result
from nexus.policies.token import Bearer
from nexus.store.errors import BlobError, BlobMissingError, BlobsFullError, StoreError

WATCH_SECONDS: Final = 0.5
CLAIM_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0
_WRITE_TRIES: Final = 30
_log: Final = logging.getLogger(__name__)

Story = Callable[[Request, Client, Lease], Coroutine[Signal, None, None]]


class Run:
    """One claim, carried out. `go` returns when its end is written down, or when the claim was lost."""

    def __init__(self, claim: Claim, opened: Opened, story: Story, watcher: Watcher, rules: JobRules) -> None:
        self._claim = claim
        self._opened = opened
        self._story = story
        self._watcher = watcher
        self._rules = rules
        self._scribe = Scribe(asyncio.get_running_loop())
        self._lease = Lease()
        self._given_up = False

    @property
    def operation(self) -> str:
        """What is run."""
        return self._claim.job.order.operation

    def begin(self, endpoint: Endpoint, body: bytes, bearer: Bearer) -> None:
        """Send the call, as its `bearer`; it counts at its instance once it is no longer `is_unsent`."""
        job = self._claim.job
        request = _request(job, endpoint, body, bearer)
        if job.instance:
            self._lease.shunned = job.service, job.instance
        self._scribe.tell(self._story(request, self._scribe, self._lease))

    def stop(self) -> None:
        """End it at once: the service sees its caller leave."""
        self._given_up = True
        self._scribe.interrupt(ClientGoneError("the job was called off"))

    def is_unsent(self, operation: str, model: str | None) -> bool:
        """Whether it is a call of this kind that no instance counts yet: its files are still being read."""
        order = self._claim.job.order
        unsent = self._lease.target is None and not self._scribe.ended.is_set()
        return unsent and (order.operation, order.model) == (operation, model)

    async def go(self) -> None:
        """Watch the run until it ends, and write that down."""
        scribe = self._scribe
        while not scribe.ended.is_set():
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await scribe.ended.wait()
            except TimeoutError:
                if not await self._renewed():
                    self.stop()
        if not self._given_up:
            await self._while_claimed(self._write_down())

    async def hand_back(self) -> None:
        """Stop, and let somebody else run it: this gateway ends."""
        self.stop()
        await self._opened.ledger.put_back(self._claim, 0, counts=False, message="the gateway was stopped")

    async def _while_claimed(self, writing: Coroutine[Any, Any, None]) -> None:
        """Renew the claim as long as writing takes; whether it still holds is found out by who writes."""
        task = asyncio.create_task(writing)
        try:
            while not (await asyncio.wait((task,), timeout=WATCH_SECONDS))[0]:
                await self._renewed()
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    async def _renewed(self) -> bool:
        """Keep the claim, telling how far the service is. False once it was cancelled or is somebody else's."""
        target = self._lease.target
        progress = await self._watcher.look(target.instance, self._claim.job.id) if target is not None else None
        try:
            return await self._opened.ledger.renew(
                self._claim,
                CLAIM_SECONDS,
                progress.fraction if progress else 0.0,
                progress.message if progress else "",
            )
        except StoreError as error:
            _log.warning("a job's claim could not be renewed: %s", error)
            return True

    async def _write_down(self) -> None:
        scribe = self._scribe
        try:
            if scribe.failure is None and 200 <= scribe.status < 300:
                operation, media_type = self._claim.job.order.operation, scribe.line("content-type")
                await self._complete(await asyncio.to_thread(split, operation, media_type, scribe.body))
                return
            status = scribe.failure.status if scribe.failure else scribe.status
            await self._end_badly(status, envelope_of(scribe))
        except ApiError as error:
            await self._end_badly(error.status, dict(error.envelope()["error"]))

    async def _complete(self, parts: tuple[Part, ...]) -> None:
        opened, claim = self._opened, self._claim
        place = f"{folder(claim.job.id)}{claim.owner}-{claim.attempt}/"  # no other run's, which may go on elsewhere
        stored = {part.name: Result(200, part.media_type, len(part.body), f"{place}{part.name}") for part in parts}
        for part in parts:
            await _stored(opened, stored[part.name].key, part.body)
        details = {
            "model": self._scribe.line("x-nexus-model"),
            "parts": {name: [one.media_type, one.size, one.key] for name, one in stored.items()},
        }
        where = (self._scribe.line("x-nexus-service"), self._scribe.line("x-nexus-instance"))
        result = stored[parts[0].name]
        until = time.time() + self._rules.keep
        if await _kept_at(lambda: opened.ledger.complete(claim, result, until, where, details)):
            return
        job = await opened.ledger.get(claim.job.id)
        if job is None or job.result != result:  # else a try that seemed to fail was written down all the same
            await opened.blobs.delete([one.key for one in stored.values()])

    async def _end_badly(self, status: int, error: dict[str, Any]) -> None:
        ledger, claim = self._opened.ledger, self._claim
        verdict = again(status, error, claim.attempt, self._rules.max_attempts)
        if verdict is not None:
            message = str(error.get("message", ""))
            target, seconds, counts = self._lease.target, verdict.seconds, verdict.counts
            broke_at = target.names[1:] if target is not None and counts else ("", "")
            await _kept_at(
                lambda: ledger.put_back(claim, seconds, counts=counts, message=message, where=broke_at),
            )
            return
        where = (self._scribe.line("x-nexus-service"), self._scribe.line("x-nexus-instance"))
        until = time.time() + self._rules.keep
        await _kept_at(lambda: ledger.fail(claim, error, until, where))


def _request(job: Job, endpoint: Endpoint, body: bytes, bearer: Bearer) -> Request:
    """The request that the job puts off, as if it came now, under the job's id."""
    order = job.order
    host = order.base_url.partition("://")[2].encode()
    content_type = order.content_type.encode("latin-1")
    lines = b"content-type: %b\r\n" % content_type if content_type else b""
    routed = read_kept(order.details)
    head = Head(endpoint, order.path, lines, content_type, bearer, host=host, routed=routed)
    now = time.perf_counter()
    return Request(head, body, order.id, now, now)


async def _stored(opened: Opened, key: str, body: bytes) -> None:
    """Store it, again and again while the storage fails: the work that it took is worth more than the wait.

    Raises ApiError: work whose result nobody can keep is not done for ever.
    """
    for left in reversed(range(_WRITE_TRIES)):
        try:
            await opened.blobs.put(key, body)
        except BlobsFullError as error:
            raise ApiError(INTERNAL_ERROR, f"There is no room for the result: {error}.") from error
        except BlobError as error:
            if not left:
                raise ApiError(UPSTREAM_ERROR, f"The result could not be stored: {error}.") from error
            _log.warning("the result of a job could not be stored, trying again: %s", error)
        else:
            return
        await asyncio.sleep(RETRY_SECONDS)


async def _kept_at(write: Callable[[], Awaitable[bool]]) -> bool:
    """Write it down, again and again while the database fails; False where it was not this run's to tell."""
    for _ in range(_WRITE_TRIES):
        try:
            return await write()
        except StoreError as error:
            _log.warning("how a job ended could not be written down, trying again: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
    return False


async def body_of(opened: Opened, job: Job) -> bytes | None:
    """The job's request; None where it is gone."""
    try:
        return await opened.blobs.get(job.order.key)
    except BlobMissingError:
        return None
