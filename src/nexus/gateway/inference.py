"""The story of a request, the gateway's table of contents: intake, admit, plan, queue, dispatch, relay, record."""

from collections.abc import Callable
from math import inf
from time import perf_counter, time

import msgspec

from nexus.contract.errors import INTERNAL_ERROR, NO_READY_SERVICE, ApiError
from nexus.gateway.admit.gate import Gate, Permit
from nexus.gateway.admit.together import Together
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.edge.wire import error_head
from nexus.gateway.health.health import Health
from nexus.gateway.intake.body import read
from nexus.gateway.plan.standing import NoRules, Ruled, Standing, There
from nexus.gateway.plan.targets import plan
from nexus.gateway.queue.turns import Turns
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.relay.collected import Collected
from nexus.gateway.relay.recovery import Again
from nexus.gateway.relay.relay import relay, relay_whole
from nexus.gateway.relay.result import Relayed
from nexus.gateway.siding import Siding
from nexus.gateway.values import Call, Client, ClientGoneError, Outcome, Plan, Reply, Request, Timeouts
from nexus.policies.policy import Policy

CLIENT_CLOSED = 499  # nginx's word for a request whose client left; it is seen in logs and metrics alone


class Inference:
    """Serves requests of the lane. What it holds is handed in; what it reads of others it reads afresh each time.

    `there` knows the snapshot, `view` gives it as a policy lets it be seen; `ruled` knows what is done about calls that
    fail, `health` how instances do. `together` is the gate where several gateways count together.
    """

    def __init__(
        self,
        there: There,
        view: Callable[[Policy | None], Snapshot],
        timeouts: Callable[[str, str | None], Timeouts],
        in_flight: Callable[[str], int],
        gate: Gate,
        dispatcher: Dispatcher,
        record: Callable[[Outcome], None],
        siding: Siding | None = None,
        ruled: Ruled | None = None,
        health: Health | None = None,
        turns: Turns | None = None,
        together: Together | None = None,
    ) -> None:
        self._there = there
        self._view = view
        self._timeouts = timeouts
        self._in_flight = in_flight
        self._gate = gate
        self._dispatcher = dispatcher
        self._record = record
        self._siding = siding
        self._ruled = ruled or NoRules()
        self._health = health or Health()
        self._turns = turns
        self._together = together
        self._turn = 0
        self._standing = Standing()

    async def serve(self, request: Request, client: Client, lease: Lease | None = None) -> None:
        """Answer one request. Whatever ends it, its permit and lease are given back and it is recorded, once.

        Who hands in the `lease` can see meanwhile whom the call was sent to.
        """
        call: Call | None = None
        permit: Permit | None = None
        lease = lease or Lease()
        result = Relayed()
        try:
            call = read(request)
            gate, together = self._gate, self._together
            given = gate.admit(call, result, lease) if together is None else await together.admit(call, result, lease)
            call, permit, result.limits = given
            if call.routed is not None:
                result.limits += call.routed.head
            endpoint = request.head.endpoint
            if not endpoint.is_plain and self._siding is not None and self._siding.wanted(call):
                call = await self._siding.prepare(call)
                if call.job_after is not None:
                    await self._siding.put_off(call, client, result)
                    return
            listens = call.stream and endpoint.events
            if listens:
                client.keep_waiting("waiting", result.limits)
            course = self._course(call) or await self._waited(call, client, result)
            if listens and course.targets[0].is_cold:
                client.keep_waiting(f"loading {course.targets[0].model}", result.limits)
            reply = await self._dispatcher.send(call, course, client, lease)
            if call.wants_urls and self._siding is not None:
                await self._publish(self._siding, call, course, reply, client, lease, result)
            elif not relay_whole(call, reply, client, result):
                again = self._again(call, course, client, lease) if call.stream else None
                await relay(call, course, reply, client, result, again)
        except ClientGoneError:
            result.status, result.error = CLIENT_CLOSED, "client_closed"
        except ApiError as error:
            _answer(error, request, lease, client, result)
        except Exception:  # a fault of ours; the exchange logs and answers it, the record must not call it a success
            result.status, result.error = INTERNAL_ERROR.status, INTERNAL_ERROR.code
            raise
        finally:
            result.ended = perf_counter()
            if permit is not None:
                permit.release(request, result)
            outcome = _outcome(request, call, lease, result)
            lease.release()
            self._record(outcome)

    def plan(self, call: Call) -> Plan:
        """The plan for a call by what is known now; kept, if it stands. Raises ApiError (404, 503)."""
        self._turn += 1
        head, health = call.request.head, self._health
        operation, policy = head.endpoint.operation, head.bearer.policy
        snapshot, rules = self._view(policy), self._ruled.rules
        timeouts = self._timeouts(operation, call.model).within(head, time())
        course = plan(call, snapshot, self._in_flight, self._turn, timeouts, rules, health, health.clock)
        if head.is_usual and call.routed is None:
            self._standing.keep(snapshot, rules, (operation, call.model), course)
        return course

    def _course(self, call: Call) -> Plan | None:
        """The plan for a call; None where it waits: whoever would be asked is full, or its model not in memory."""
        head, standing, turns = call.request.head, self._standing, self._turns
        course: Plan | None = None
        stands = standing.snapshot is self._there.snapshot and standing.rules is self._ruled.rules
        if stands and head.is_usual and call.routed is None:
            course = standing.plans.get((head.endpoint.operation, call.model))
        if course is None:
            try:
                course = self.plan(call)
            except ApiError as refusal:
                if turns is None or refusal.kind is not NO_READY_SERVICE or turns.cold(call) is None:
                    raise
                return None
        first = course.targets[0].instance
        if first.room < inf and turns is not None and self._in_flight(first.url) >= first.room:
            return None
        return course

    async def _waited(self, call: Call, client: Client, result: Relayed) -> Plan:
        """The plan for a call that has to wait, once its turn has come. Raises ApiError (404, 503, 504)."""
        turns = self._turns
        assert turns is not None  # noqa: S101 - without them nobody waits
        try:
            course = self.plan(call)
        except ApiError:
            target = turns.cold(call)
            if target is None:
                raise
        else:
            return self._rest_of(await turns.turn(call, self.plan, course, result), call, result)
        endpoint = call.request.head.endpoint
        if call.stream and endpoint.events:
            client.keep_waiting(f"loading {target.model}", result.limits)
        timeouts = self._timeouts(endpoint.operation, call.model).within(call.request.head, time())
        seconds = min(timeouts.first_byte, timeouts.total)
        return self._rest_of(await turns.warm(call, self.plan, target, seconds, result), call, result)

    def _rest_of(self, course: Plan, call: Call, result: Relayed) -> Plan:
        """The plan of a call that has waited: its time runs meanwhile, what its client gives it since it came."""
        request = call.request
        left = self._timeouts(request.head.endpoint.operation, call.model).total - (result.queued or 0.0)
        if request.head.timeout is not None:
            left = min(left, request.head.timeout - (perf_counter() - request.started))
        timeouts = msgspec.structs.replace(course.timeouts, total=min(course.timeouts.total, max(0.0, left)))
        return msgspec.structs.replace(course, timeouts=timeouts)

    def _again(self, call: Call, course: Plan, client: Client, lease: Lease) -> Again | None:
        """How a stream that breaks off is asked for again; None for what is never."""
        if not (call.request.head.endpoint.done_marker and self._ruled.rules.resumes):
            return None

        async def again(continued: Call) -> Reply:
            return await self._dispatcher.again(continued, self._renewed(course, call, lease), client, lease)

        return again

    def _renewed(self, course: Plan, call: Call, lease: Lease) -> Plan:
        """The plan with those who are there by now, which a stream may outlast; who was asked already comes last."""
        try:
            there = self.plan(call).targets
        except ApiError:  # nobody is ready just now; one of those before may be again
            return course
        asked = {(one.instance.url, one.model) for one in (*lease.tried, lease.target) if one is not None}
        fresh = tuple(one for one in there if (one.instance.url, one.model) not in asked)
        last = () if lease.target is None else (lease.target,)
        return msgspec.structs.replace(course, targets=fresh + last)

    async def _publish(
        self, siding: Siding, call: Call, course: Plan, reply: Reply, client: Client, lease: Lease, result: Relayed
    ) -> None:
        """Hold the answer back, put its pictures where they have URLs, and send it then."""
        collected = Collected(client)
        await relay(call, course, reply, collected, result)
        lease.drop()
        body = await siding.publish(call, collected.status, collected.body)
        collected.release(body)
        result.bytes_out = len(body)


def _outcome(request: Request, call: Call | None, lease: Lease, result: Relayed) -> Outcome:
    head, target = request.head, lease.target
    status, error, started, first_byte = result.status, result.error, request.started, result.first_byte
    model, service, instance = ("", "", "") if target is None else target.names
    return Outcome(
        time(),
        "error" if status >= 500 or (error and status < 400) else "info",
        "request",
        request.request_id,
        head.bearer.name,
        head.endpoint.operation,
        status,
        int((result.ended - started) * 100_000) / 100,
        model,
        service,
        instance,
        call is not None and call.stream,
        len(request.body),
        result.bytes_out,
        None if first_byte is None else int((first_byte - started) * 100_000) / 100,
        result.usage,
        lease.attempts,
        error,
        "" if call is None or call.routed is None else call.routed.why,
        None if result.queued is None else int(result.queued * 100_000) / 100,
        result.priority,
    )


def _answer(error: ApiError, request: Request, lease: Lease, client: Client, result: Relayed) -> None:
    """Tell the client what went wrong before its answer began, and whom the gateway had asked."""
    head = error_head(error, request.request_id) + result.limits
    if lease.target is not None:
        head += f"x-nexus-service: {lease.target.instance.service}\r\nx-nexus-attempts: {lease.attempts}\r\n".encode()
    body = error.body()
    result.status, result.error, result.bytes_out = error.status, error.code, len(body)
    client.send_whole(error.status, head, body)
