"""Sends a call to the targets of its plan, one after another, until one answers.

Laws: nobody else is asked once a byte of an answer has reached the client, but by `again`; what is asked next, and
whether anyone is, the table of `retries.py` says; all attempts of a call are bounded by its plan, those of all calls
by the budget; a connection from the pool that turns out to be closed costs nothing but a new one, and what must not be
done twice is never sent on one; whatever ends a call, its lease ends with it.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

from nexus.contract.errors import NO_READY_SERVICE, UPSTREAM_ERROR, ApiError, kind_of_status
from nexus.gateway.dispatch.budget import Budget
from nexus.gateway.dispatch.hedge import LATEST, Bounded, Examined, Hedging
from nexus.gateway.dispatch.lease import Lease, Loan
from nexus.gateway.dispatch.message import body_for, head_for
from nexus.gateway.dispatch.retries import Step, Trouble, kind_of, pause, step
from nexus.gateway.dispatch.targets import first_target, next_target
from nexus.gateway.dispatch.troubles import has_begun, is_fine, trouble_of, wants_more
from nexus.gateway.drive import pause as wait
from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.log import Log
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.pool import ConnectError, Pool
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Client, LateError, Plan, Reply

ReportRefused = Callable[[str, str], None]
_BEGIN: Final = "begin to answer"
_REASON: Final = 300  # characters of a reason that go into the log
_STALE: Final = 1.0  # seconds within which a connection is lost that was closed before the request reached anyone

Begun = Answer | LateError | None
"""What has become so far of an attempt that somebody else has begun; None: nobody has."""


def lend_nothing(_: str) -> Loan | None:
    """For a gateway whose services ask nobody."""
    return None


def tell_nobody(level: str, event: str, **fields: object) -> None:
    """For a gateway without a log."""


class Dispatcher:
    """Sends calls; tells `report_refused` (base URL, reason) which instances take no connections, `health` how all do.

    `lend` gives, for a caller's name, what a service that asks the gateway itself may ask with. `draw` is chance,
    between 0 and 1. `hedged` counts second attempts: see `Hedging.counts`.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        report_refused: ReportRefused,
        lend: Callable[[str], Loan | None] = lend_nothing,
        *,
        health: Health | None = None,
        log: Log = tell_nobody,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._upstreams = upstreams
        self._report_refused = report_refused
        self._lend = lend
        self._health = health or Health()
        self._log = log
        self._draw = draw
        self._budget = Budget(time.monotonic)
        self._hedging = Hedging(upstreams, self._health, self._budget, self._examined, self._gave_up)
        self.hedged = self._hedging.counts

    async def send(self, call: Call, plan: Plan, client: Client, lease: Lease) -> Reply:
        """The answer, once the first byte of its body (or its end) is there. Raises ApiError (429, 502, 503, 504).

        What nearly all calls need is done here, in one go: a connection is there, and whoever is asked answers.
        """
        timeouts, health = plan.timeouts, self._health
        lease.until = time.time() + timeouts.total
        self._budget.calls += 1
        target = plan.targets[0] if lease.shunned is None else first_target(plan, lease)
        pool = self._upstreams.pool(target.instance)
        if health.troubled or plan.hedge is not None or not pool.idle or not call.request.head.endpoint.is_replayable:
            client.end_within(timeouts.total)
            return await self._send(call, plan, client, lease, target)
        lease.take(target, pool)
        head, body = self._message(call, target, lease, pool)
        lease.connection = connection = pool.idle.pop()
        lease.asked = time.monotonic()
        client.expect_within(timeouts.first_byte, _BEGIN, timeouts.total)
        answer = connection.request(head, body)
        try:
            await answer
        except LateError as error:
            return await self._send(call, plan, client, lease, target, error)
        if not is_fine(answer):
            return await self._send(call, plan, client, lease, target, answer)
        if not answer.complete:
            lease.watch(answer, health)
        elif self._health.troubled:  # by now
            health.ok(target)
        return Reply(answer, target, 1)

    async def again(self, call: Call, plan: Plan, client: Client, lease: Lease) -> Reply:
        """Another answer, after one that broke off: from the next target that was not tried, else from the same.

        `call` may have another body. Everything is bounded as it was for the first. Raises ApiError (502) where no
        further attempt may be made, and as `send`.
        """
        if lease.target is None:
            raise AssertionError("nothing was sent yet")
        target = next_target(plan, lease, Step.ANY)
        spent = lease.attempts >= plan.retries.max_attempts
        if target is None or spent or not self._budget.spend(plan.retries.budget_ratio):
            raise ApiError(UPSTREAM_ERROR, f"{lease.target.instance.service}: the answer broke off.")
        return await self._send(call, plan, client, lease, target)

    async def _send(
        self, call: Call, plan: Plan, client: Client, lease: Lease, target: Target, begun: Begun = None
    ) -> Reply:
        """See `send`. `begun`: the first attempt, which lease and client know of already."""
        health = self._health
        while True:
            pool = None if begun is None else lease.pool  # the instance may have another one by now
            if pool is None:
                pool = self._upstreams.pool(target.instance)
                lease.take(target, pool)
                if health.troubled:
                    health.asked(target)
            answer: Answer | None = None
            late: LateError | None = None
            try:
                if plan.hedge is None or lease.attempts > 1:
                    answer = await self._ask(call, plan, target, client, lease, pool, begun)
                    trouble = None if is_fine(answer) else await self._trouble_with(call, plan, answer, client)
                else:
                    answer, trouble = await self._hedging.answer(plan.hedge, call, plan, target, lease)
                    target = lease.target or target  # the one whose answer it is
            except (ConnectError, LateError) as error:
                if isinstance(error, LateError):
                    if error.final:
                        raise
                    late = error
                target = lease.target or target
                trouble = self._trouble_from(error, target)
            if trouble is None and answer is not None:
                self._went_well(answer, target, lease)
                return Reply(answer, target, lease.attempts)
            if trouble is None:
                raise AssertionError("an attempt without an answer is in trouble")
            following = await self._after(trouble, call, plan, client, lease)
            if following is None:
                if answer is not None and (answer.head.status >= 400 or (answer.parts and answer.head.is_events)):
                    return Reply(answer, target, lease.attempts)
                raise late or _told(trouble, target)
            target, begun = following, None

    def _went_well(self, answer: Answer, target: Target, lease: Lease) -> None:
        if not answer.complete:
            lease.watch(answer, self._health)
        elif self._health.troubled:
            self._health.ok(target)

    async def _after(self, trouble: Trouble, call: Call, plan: Plan, client: Client, lease: Lease) -> Target | None:
        """Whom to ask after an attempt that failed; None: nobody. Waits where that is the one that was asked last."""
        target = lease.target
        if target is None:
            raise AssertionError("a target was asked")
        self._note(trouble, target)
        todo = step(trouble, kind_of(call.request.head.endpoint))
        if todo is Step.STOP:
            return None
        following = next_target(plan, lease, todo)
        seconds = pause(trouble, lease.attempts, self._draw()) if following is target else 0.0
        if following is None or seconds is None or not self._may_go_on(trouble, plan, lease, seconds):
            following = None
        self._tell(trouble, call, lease.attempts, target, following)
        if following is None:
            return None
        lease.drop()
        if seconds:
            lease.pause()
            client.expect_within(seconds + plan.timeouts.connect, "recover")
            await wait(asyncio.get_running_loop(), seconds)
        return following

    def _may_go_on(self, trouble: Trouble, plan: Plan, lease: Lease, seconds: float) -> bool:
        """Whether a further attempt is within all bounds; what nobody was sent costs nothing of the budget."""
        late = lease.until - time.time() < seconds + LATEST
        if late or lease.attempts >= plan.retries.max_attempts:
            return False
        return trouble.failure is Failure.REFUSED or self._budget.spend(plan.retries.budget_ratio)

    def _note(self, trouble: Trouble, target: Target) -> None:
        """Let the circuits know: who refuses a request or has enough of them works all the same."""
        if trouble.status == 429:
            if trouble.retry_after:
                self._health.paused(target, trouble.retry_after)
        elif trouble.status == 504:
            self._health.failed(target, Failure.LATE)
        elif trouble.status >= 500 or not trouble.status:
            self._health.failed(target, trouble.failure)
        else:
            self._health.ok(target)

    def _gave_up(
        self, why: Trouble | ConnectError | LateError, call: Call, attempt: int, target: Target, other: Target
    ) -> None:
        """An attempt failed while another one, at `other`, goes on."""
        trouble = why if isinstance(why, Trouble) else self._trouble_from(why, target)
        self._note(trouble, target)
        self._tell(trouble, call, attempt, target, other)

    def _trouble_from(self, error: ConnectError | LateError, target: Target) -> Trouble:
        if isinstance(error, LateError):
            return Trouble(Failure.LATE, error.message)
        self._report_refused(target.instance.url, str(error))
        return Trouble(Failure.REFUSED, str(error))

    def _tell(self, trouble: Trouble, call: Call, attempt: int, target: Target, following: Target | None) -> None:
        """One line for an attempt that failed, unless the client hears of it as it is."""
        if following is None and trouble.status and trouble.status < 500:
            return
        model, service, instance = target.names
        self._log(
            "warning",
            "attempt_failed",
            request_id=call.request.request_id,
            model=model,
            service=service,
            instance=instance,
            attempt=attempt,
            failure=trouble.failure.value,
            answered=trouble.status,
            reason=trouble.message[:_REASON],
            next=following.instance.label if following else "",
        )

    async def _examined(self, call: Call, plan: Plan, target: Target, client: Bounded, lease: Lease) -> Examined:
        """One attempt of two: its answer, and what is wrong with it. Raises ConnectError and LateError."""
        answer = await self._ask(call, plan, target, client, lease, self._upstreams.pool(target.instance))
        return answer, None if is_fine(answer) else await self._trouble_with(call, plan, answer, client)

    async def _trouble_with(self, call: Call, plan: Plan, answer: Answer, client: Bounded) -> Trouble | None:
        """What is wrong with an answer, once enough of it has come to tell. Raises LateError."""
        endpoint = call.request.head.endpoint
        kind = kind_of(endpoint)
        while wants_more(answer, kind):
            client.expect_within(plan.timeouts.idle, "go on with its answer")
            await answer
        return trouble_of(answer, endpoint.operation, kind, time.time())

    async def _ask(
        self,
        call: Call,
        plan: Plan,
        target: Target,
        client: Bounded,
        lease: Lease,
        pool: Pool,
        begun: Begun = None,
    ) -> Answer:
        """Send the call to one target and wait for the first byte. Raises ConnectError and LateError."""
        if isinstance(begun, LateError):
            raise begun
        answer = begun
        may_be_kept = call.request.head.endpoint.is_replayable
        while True:
            if answer is None:
                head, body = self._message(call, target, lease, pool)
                connection = pool.idle.pop() if may_be_kept and pool.idle else await self._open(pool, plan, client)
                lease.connection, lease.asked = connection, time.monotonic()
                client.expect_within(plan.timeouts.first_byte, _BEGIN)
                answer = connection.request(head, body)
            while not (answer.complete or answer.failure or has_begun(answer)):
                await answer
            if not answer.is_lost or time.monotonic() - lease.asked > _STALE:
                return answer
            lease.drop()
            answer, may_be_kept = None, False  # it was closed while it was kept: the request never reached anyone

    def _message(self, call: Call, target: Target, lease: Lease, pool: Pool) -> tuple[bytes, bytes]:
        """What the target is sent: a head, and a body. Raises ApiError (400)."""
        same = target.model == call.model and call.continued is None
        body = call.request.body if same else body_for(call, target)
        lines = self._loan(call, lease) if target.instance.asks else ""
        return head_for(call, target, pool.address, len(body), lease.until, lines), body

    def _loan(self, call: Call, lease: Lease) -> str:
        """The header lines by which the service asks the gateway on this call's behalf; none where nothing is lent."""
        if lease.loan is None:
            lease.loan = self._lend(call.request.head.token)
        return "" if lease.loan is None else lease.loan.lines

    async def _open(self, pool: Pool, plan: Plan, client: Bounded) -> Connection:
        client.expect_within(plan.timeouts.connect, "accept the connection")
        try:
            return await pool.open()
        except LateError as error:
            if error.final:
                raise
            raise ConnectError(f"no connection within {plan.timeouts.connect:g} s") from error


def _told(trouble: Trouble, target: Target) -> ApiError:
    """The error for a call whose last attempt failed without an answer that could be passed on."""
    service = target.instance.service
    if trouble.failure is Failure.REFUSED:
        message = f"{service} takes no connections: {trouble.message}"
        return ApiError(NO_READY_SERVICE, message, retry_after=1)
    kind = kind_of_status(trouble.status) if 400 <= trouble.status < 500 else UPSTREAM_ERROR
    return ApiError(kind, f"{service}: {trouble.message}.", code=trouble.code if kind is not UPSTREAM_ERROR else None)
