"""Lets calls wait until somebody has room for them, and gives each freed place to the one whose turn it is.

Laws: one grant for each free place, in the very callback that frees it; who leaves is out of the queue at once; nobody
waits longer than the rules say; a place that comes free unnoticed (a circuit closes, a card says more) is found within
`TICK_SECONDS`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from time import perf_counter
from typing import Final, Protocol

import msgspec

from nexus.contract.errors import NO_READY_SERVICE, OVERLOADED, ApiError
from nexus.gateway.drive import Signal
from nexus.gateway.queue.fair import FairQueue, Line, Ticket
from nexus.gateway.queue.loads import Loads
from nexus.gateway.registry.snapshot import Route, Target
from nexus.gateway.values import Call, Plan, QueueRules

TICK_SECONDS: Final = 0.25
_RUNNING: Final = "running"


Planner = Callable[[Call], Plan]
"""Plans a call by what is known now. Raises ApiError (404, 503)."""


class Waited(Protocol):
    """Is told how many seconds a call waited, and as what."""

    queued: float | None
    priority: str


class _Way(Line):
    """A line, with one of those that came to stand in it; `places` says how many calls each instance takes at once."""

    __slots__ = ("call", "places", "plan")

    def __init__(
        self, key: Hashable, call: Call, plan: Planner, names: tuple[str, str, str], targets: Iterable[Target]
    ) -> None:
        super().__init__(key, {}, names)
        self.call = call
        self.plan = plan
        self.lead_to(targets)

    def lead_to(self, targets: Iterable[Target]) -> None:
        """These can answer from now on."""
        targets = tuple(targets)
        self.models = {target.instance.url: target.model or "" for target in targets}
        self.swaps = frozenset(target.instance.url for target in targets if target.instance.swaps)
        self.places: Mapping[str, float] = {target.instance.url: target.instance.room for target in targets}


class _Waiter(Ticket):
    """One call that waits: resumed by `signal`, to go on by `course` or to raise `error`."""

    __slots__ = ("call", "course", "error", "plan", "signal")

    def __init__(self, call: Call, plan: Planner, way: _Way, since: float, seconds: float) -> None:
        super().__init__(way, _priority(call), call.request.head.token, since, since + seconds)
        self.call = call
        self.plan = plan
        self.signal = Signal()
        self.course: Plan | None = None
        self.error: ApiError | None = None


class Turns:
    """`route` tells all that could answer a call; `in_flight` counts the calls at an instance, by its URL."""

    def __init__(
        self,
        route: Callable[[Call], Route],
        in_flight: Callable[[str], int],
        rules: Callable[[], QueueRules],
        loads: Loads,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._route = route
        self._in_flight = in_flight
        self._rules = rules
        self._loads = loads
        self._loop = loop
        self._queue: FairQueue[_Waiter, _Way] = FairQueue()
        self._free: deque[str] = deque()
        self._giving = False
        self._timer: asyncio.TimerHandle | None = None
        self._last_wait = 0.0

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self._queue.waiting

    def counts(self) -> dict[tuple[str, str, str, str], int]:
        """How many wait, by operation, service, model and priority."""
        return self._queue.counts()

    async def turn(self, call: Call, plan: Planner, course: Plan, waited: Waited) -> Plan:
        """The plan by which the call may go on, as soon as one of those who do the same has room. Raises ApiError."""
        alike = course.targets[: course.alike]
        free = self._first_with_room(alike)
        if free is not None:
            return _beginning_with(course, free)
        target = alike[0]
        seconds = min(self._rules().max_seconds, course.timeouts.total)
        return await self._wait(call, plan, target, alike, seconds, waited)

    async def warm(self, call: Call, plan: Planner, target: Target, seconds: float, waited: Waited) -> Plan:
        """The plan by which the call may go on once its model is in memory at `target`, at most `seconds` from now.

        Raises ApiError (503) where it cannot be loaded.
        """
        if _is_unloaded(target):
            self._loads.begin(target)
        return await self._wait(call, plan, target, (), seconds, waited)

    def cold(self, call: Call) -> Target | None:
        """Who could answer the call, which nobody can now, if a model were loaded: where that goes on, else anyone."""
        cold = [target for target in self._route(call).waiting if target.is_cold]
        return min(cold, key=_is_unloaded, default=None)

    def loading(self) -> tuple[tuple[str, str], ...]:
        """What is being loaded for calls that wait: URLs of instances and models."""
        return self._loads.running()

    async def close(self) -> None:
        """Look for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        await self._loads.close()

    # --- what frees places

    def freed(self, url: str) -> None:
        """There may be room at the instance."""
        if not self._queue.waiting:
            return
        self._free.append(url)
        if self._giving:
            return  # somebody who was given a place has ended on the spot: whoever gave it goes on with this one
        self._giving = True
        try:
            while self._free:
                self._give(self._free.popleft())
        finally:
            self._giving = False

    def changed(self) -> None:
        """Others may be there now, or the same with other models."""
        if not self._queue.waiting:
            return
        for way in self._queue.lines():
            try:
                course = way.plan(way.call)
            except ApiError as error:
                self._leads_nowhere(way, error)
            else:
                way.lead_to(course.targets[: course.alike])
        for url in {url: None for way in self._queue.lines() for url in way.models}:
            self.freed(url)

    def load_ended(self, target: Target, error: ApiError | None) -> None:
        """What is waited for was loaded, or cannot be."""
        if error is None:
            return
        for way in self._queue.lines():
            if not way.models and self.cold(way.call) == target:
                self._fail(way, error)

    # --- waiting

    async def _wait(
        self, call: Call, plan: Planner, target: Target, alike: Iterable[Target], seconds: float, waited: Waited
    ) -> Plan:
        key = _key(call)
        model, service, _ = target.names
        names = (call.request.head.endpoint.operation, service, model)
        way = self._queue.line(key) or _Way(key, call, plan, names, alike)
        waiter = _Waiter(call, plan, way, self._loop.time(), seconds)
        self._queue.most = self._rules().max_waiting
        victim = self._queue.enter(waiter, way)
        if victim is not None:
            self._turn_away(victim, f"{self._queue.waiting} calls wait already")
        self._watch()
        began = perf_counter()  # the loop's clock goes by milliseconds
        try:
            if victim is not waiter:
                await waiter.signal
        finally:
            self._queue.leave(waiter)
            waited.queued = perf_counter() - began
            waited.priority = waiter.priority
        if waiter.course is None:
            raise waiter.error or AssertionError("it was resumed without a reason")
        self._last_wait = waited.queued
        return waiter.course

    def _watch(self) -> None:
        if self._timer is None and self._queue.waiting:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        for waiter in [one for one in self._queue.tickets() if one.until <= now]:
            self._turn_away(waiter, f"nobody had room within {waiter.until - waiter.since:g} s")
        self.changed()
        self._watch()

    # --- giving

    def _give(self, url: str) -> None:
        """Give the instance's free places, to one after another."""
        while True:
            now = self._loop.time()
            choice = self._queue.next(url, now)
            if choice is None:
                return
            waiter = choice.ticket
            way = self._queue.line(waiter.line.key)
            if way is None or self._in_flight(url) >= way.places[url]:
                return
            try:
                course = waiter.plan(waiter.call)
            except ApiError as error:
                self._leads_nowhere(way, error)
                continue
            alike = course.targets[: course.alike]
            target = next((one for one in alike if one.instance.url == url), None)
            way.lead_to(alike)
            if target is None or not self._has_room(target):
                continue
            self._queue.take(choice, url, now)
            self._send_on(waiter, course, target)

    def _leads_nowhere(self, way: _Way, error: ApiError) -> None:
        """Nobody can answer its calls just now. They wait on for those who may be back soon, and for a model's load."""
        if error.kind is not NO_READY_SERVICE:
            self._fail(way, error)
            return
        way.lead_to(())
        target = self.cold(way.call)
        if target is not None and _is_unloaded(target):
            try:
                self._loads.begin(target)
            except ApiError as failure:
                self._fail(way, failure)

    def _fail(self, way: _Way, error: ApiError) -> None:
        for waiter in tuple(self._queue.tickets(way)):
            self._resume(waiter, error)

    def _turn_away(self, waiter: _Waiter, why: str) -> None:
        """It may wait no longer: somebody else of its plan may do, else nobody does."""
        try:
            course = waiter.plan(waiter.call)
        except ApiError as error:
            self._resume(waiter, error)
            return
        free = self._first_with_room(course.targets)
        if free is not None:
            self._queue.leave(waiter)
            self._send_on(waiter, course, free)
            return
        name = waiter.call.model or waiter.line.names[0]
        message = f"All places for {name!r} are taken, and {why}."
        again = min(max(1.0, self._last_wait), self._rules().max_seconds)
        self._resume(waiter, ApiError(OVERLOADED, message, retry_after=again))

    def _send_on(self, waiter: _Waiter, course: Plan, target: Target) -> None:
        waiter.course = _beginning_with(course, target)
        waiter.signal.set()

    def _resume(self, waiter: _Waiter, error: ApiError) -> None:
        self._queue.leave(waiter)
        waiter.error = error
        waiter.signal.set()

    def _first_with_room(self, targets: Iterable[Target]) -> Target | None:
        return next((target for target in targets if self._has_room(target)), None)

    def _has_room(self, target: Target) -> bool:
        return self._in_flight(target.instance.url) < target.instance.room


def _priority(call: Call) -> str:
    """As what it waits: as its caller's policy says; a job's run stands back for those who wait for their answers."""
    head = call.request.head
    if head.endpoint.job == _RUNNING:
        return "batch"
    return "interactive" if head.bearer.policy is None else head.bearer.policy.priority


def _key(call: Call) -> Hashable:
    """What is alike in this can be answered by the same."""
    head = call.request.head
    policy = None if head.bearer.policy is None else head.bearer.policy.name
    rule = None if call.routed is None else call.routed.rule
    return head.endpoint.operation, head.endpoint.service, call.model, policy, rule


def _beginning_with(course: Plan, target: Target) -> Plan:
    if course.targets[0] is target:
        return course
    others = tuple(one for one in course.targets if one is not target)
    return msgspec.structs.replace(course, targets=(target, *others))


def _is_unloaded(target: Target) -> bool:
    card = target.instance.card
    return card is not None and any(model.id == target.model and model.state == "unloaded" for model in card.models)
