"""A second attempt while the first is long in coming: whoever answers first is kept, the other one is closed.

Laws: both attempts are driven by hand, each with a lease and bounds of its own, and tell their ends by one signal,
which the call waits for; one that fails leaves the other alone, whose end is then the call's; whatever ends the call,
both are over before it goes on, and what they held is given back or is the call's own.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

from nexus.gateway.dispatch.budget import Budget
from nexus.gateway.dispatch.latency import Latencies
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.retries import Step, Trouble, kind_of, step
from nexus.gateway.dispatch.targets import other_target
from nexus.gateway.drive import Drive, Signal
from nexus.gateway.health.circuit import State
from nexus.gateway.health.health import Health
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.connection import Answer
from nexus.gateway.upstream.pool import ConnectError
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Hedge, LateError, Plan

LATEST: Final = 0.05  # seconds that are left to an attempt, or it is not made

Examined = tuple[Answer, Trouble | None]
"""An answer, and what is wrong with it."""


class Bounded(Protocol):
    """What is interrupted when something does not happen in time: a client's whole call, or one attempt of two."""

    def expect_within(self, seconds: float, what: str) -> None:
        """See `values.Client`."""


Ask = Callable[[Call, Plan, Target, Bounded, Lease], Coroutine[Signal, None, Examined]]
GaveUp = Callable[[Trouble | ConnectError | LateError, Call, int, Target, Target], None]
"""Told of an attempt that failed while another one goes on: why, of which call, which one it was, where, and where the
other one is."""


class Attempt(Drive):
    """One attempt of two. Once it has `ended` by itself, it has an answer or an error."""

    answer: Answer | None = None
    trouble: Trouble | None = None
    error: BaseException | None = None
    ended = False
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, target: Target, lease: Lease, over: Signal, loop: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self.lease = lease
        self.started = loop.time()
        self._over = over
        self._loop = loop

    def expect_within(self, seconds: float, what: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.interrupt, LateError(what))

    async def run(self, work: Coroutine[Signal, None, Examined]) -> None:
        """See `work` to its end."""
        self.answer, self.trouble = await work
        self._tell()

    def failed(self, error: BaseException) -> None:
        self.error = error
        self._tell()

    def stop(self) -> None:
        """Wait for nothing any more."""
        if not self.ended:
            self.end()
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self.ended = True
        self._over.set()

    def what_failed(self, call: Call) -> Trouble | ConnectError | LateError | None:
        """Why it need not be the end of the call; None: it is, be it an answer, a refusal or a fault of ours."""
        if isinstance(self.error, ConnectError | LateError):
            return self.error
        if self.trouble is None or step(self.trouble, kind_of(call.request.head.endpoint)) in (Step.STOP, Step.LARGER):
            return None
        return self.trouble


class Hedging:
    """`ask` makes an attempt, `gave_up` is told of those that fail beside another one.

    `counts` are the second attempts that were made, by operation and by whether theirs was the answer (`won`, `lost`).
    """

    def __init__(self, upstreams: Upstreams, health: Health, budget: Budget, ask: Ask, gave_up: GaveUp) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self._upstreams = upstreams
        self._health = health
        self._budget = budget
        self._ask = ask
        self._gave_up = gave_up
        self._latencies = Latencies()

    async def answer(self, hedge: Hedge, call: Call, plan: Plan, target: Target, lease: Lease) -> Examined:
        """The answer of `target`, for which `lease` was taken, or of another one: `lease` tells whose it is.

        Raises what the attempt raised that was left at the end (ConnectError, LateError).
        """
        loop = asyncio.get_running_loop()
        key = (call.request.head.endpoint.operation, target.model)
        delay = hedge.seconds or self._latencies.percentile(key, hedge.share, loop.time())
        over = Signal()
        timer = None if delay is None else loop.call_later(delay, over.set)
        first = Attempt(target, lease, over, loop)
        second: Attempt | None = None
        last: Attempt | None = None
        try:
            first.drive(first.run(self._ask(call, plan, target, first, lease)))
            await over
            if not first.ended:
                second = self._second(call, plan, target, lease, over, loop)
            last = await self._last(first, second, over, call)
        finally:
            if timer is not None:
                timer.cancel()
            _close(first, second, last)
        if last.answer is None:
            raise last.error or AssertionError("an attempt ends with an answer or an error")
        if hedge.share and last.trouble is None and not (first.error or first.trouble):
            # of one that was outrun it is known that it would have taken longer
            self._latencies.add(key, loop.time() - first.started, loop.time())
        if second is not None:
            counted = (key[0], "won" if last is second and last.trouble is None else "lost")
            self.counts[counted] = self.counts.get(counted, 0) + 1
        return last.answer, last.trouble

    def _second(
        self, call: Call, plan: Plan, first: Target, lease: Lease, over: Signal, loop: asyncio.AbstractEventLoop
    ) -> Attempt | None:
        """Another attempt that runs, or None: nobody else can take it now, or there have been enough."""
        target = other_target(plan, first, self._upstreams.in_flight, self._is_well)
        if target is None or lease.attempts >= plan.retries.max_attempts or lease.until - time.time() < LATEST:
            return None
        if not self._budget.spend(plan.retries.budget_ratio):
            return None
        own = Lease()
        own.until = lease.until
        own.stopwatch = None if lease.stopwatch is None else lease.stopwatch.beside()
        own.take(target, self._upstreams.pool(target.instance))
        lease.attempts += 1
        if self._health.troubled:
            self._health.asked(target)
        second = Attempt(target, own, over, loop)
        second.drive(second.run(self._ask(call, plan, target, second, own)))
        return second

    async def _last(self, first: Attempt, second: Attempt | None, over: Signal, call: Call) -> Attempt:
        """The attempt whose end is the call's: the first to answer, else the last to fail."""
        running = [first] if second is None else [first, second]
        while True:
            ended = next((attempt for attempt in running if attempt.ended), None)
            if ended is None:
                await over
                continue
            running.remove(ended)
            failure = ended.what_failed(call)
            if failure is None or not running:
                return ended
            self._gave_up(failure, call, 1 if ended is first else 2, ended.target, running[0].target)
            ended.lease.release()

    def _is_well(self, target: Target) -> bool:
        health = self._health
        if not health.troubled:
            return True
        return health.allows(target, health.clock()) and health.state(target.instance) == State.CLOSED.value


def _close(first: Attempt, second: Attempt | None, last: Attempt | None) -> None:
    """End what still runs. What the `last` one holds is the call's from now on, the other one holds nothing more."""
    first.stop()
    if second is None:
        return
    second.stop()
    if last is second:
        first.lease.adopt(second.lease)
        return
    second.lease.release()
    first.lease.add_time(second.lease)
    first.lease.tried = (*first.lease.tried, second.target)
