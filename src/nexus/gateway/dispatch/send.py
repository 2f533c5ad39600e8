"""Sends a call to the targets of its plan, one after another, until one answers.

Laws: a target is left for the next one only while nothing of an answer has come from it; a connection from the pool
that turns out to be closed costs nothing but a new one; whatever ends a call, its lease ends with it.
"""

from collections.abc import Callable
from math import inf
from time import time
from typing import Protocol

from nexus.contract.errors import NO_READY_SERVICE, UPSTREAM_ERROR, ApiError
from nexus.gateway.dispatch.message import body_for, head_for
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.pool import ConnectError, Pool
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Client, Plan, Reply
from nexus.policies.stopwatch import Stopwatch

ReportRefused = Callable[[str, str], None]


class Loan(Protocol):
    """Leave for a service to ask the gateway in its caller's name: `lines` are the header lines that tell it."""

    lines: str

    def give_back(self) -> None:
        """It ends with the call."""


def lend_nothing(_: str) -> Loan | None:
    """For a gateway whose services ask nobody."""
    return None


class Lease:
    """What a call holds while it is answered: a place in its instance's count, and the connection.

    `until` is the Unix time by which its answer must be through. `stopwatch`, where there is one, measures for how long
    an instance is held.
    """

    connection: Connection | None = None
    target: Target | None = None
    attempts = 0
    loan: Loan | None = None
    until = inf
    stopwatch: Stopwatch | None = None
    _pool: Pool | None = None

    def take(self, target: Target, pool: Pool) -> None:
        """Count the call at `target` and no longer at the one before."""
        if self._pool is not None:
            self.release()
        self.target = target
        self.attempts += 1
        self._pool = pool
        pool.in_flight += 1
        if self.stopwatch is not None:
            self.stopwatch.start()

    def drop(self) -> None:
        """Give up the connection: kept for the next call if its answer is whole, closed if it is not."""
        connection = self.connection
        if connection is not None:
            self.connection = None
            connection.release()

    def release(self) -> None:
        """Give everything back; `target` stays to be told. May be called again."""
        connection, pool, loan = self.connection, self._pool, self.loan
        if loan is not None:
            self.loan = None
            loan.give_back()
        if connection is not None:
            self.connection = None
            connection.release()
        if pool is not None:
            self._pool = None
            pool.in_flight -= 1
            if self.stopwatch is not None:
                self.stopwatch.stop()


class Dispatcher:
    """Sends calls; tells `report_refused` (base URL, reason) which instances take no connections.

    `lend` gives, for a caller's name, what a service that asks the gateway itself may ask with.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        report_refused: ReportRefused,
        lend: Callable[[str], Loan | None] = lend_nothing,
    ) -> None:
        self._upstreams = upstreams
        self._report_refused = report_refused
        self._lend = lend

    async def send(self, call: Call, plan: Plan, client: Client, lease: Lease) -> Reply:
        """The answer, once the first byte of its body (or its end) is there. Raises ApiError (502, 503)."""
        failure: ApiError | None = None
        client.end_within(plan.timeouts.total)
        lease.until = time() + plan.timeouts.total
        for target in plan.targets:
            pool = self._upstreams.pool(target.instance)
            lease.take(target, pool)
            try:
                answer = await self._ask(call, plan, target, client, lease, pool)
            except ConnectError as error:
                self._report_refused(target.instance.url, str(error))
                message = f"{target.instance.service} takes no connections: {error}"
                failure = ApiError(NO_READY_SERVICE, message, retry_after=1)
                continue
            if not answer.failure or answer.parts:
                return Reply(answer, target, lease.attempts)
            failure = ApiError(UPSTREAM_ERROR, f"{target.instance.service}: {answer.failure}.")
            if answer.touched:
                break
            lease.drop()
        if failure is None:
            raise AssertionError("a plan has at least one target")
        raise failure

    async def _ask(self, call: Call, plan: Plan, target: Target, client: Client, lease: Lease, pool: Pool) -> Answer:
        """Send the call to one target and wait for the first byte. Raises ConnectError."""
        body = body_for(call, target)
        if target.instance.asks:
            lease.loan = self._lend(call.request.head.token)
        lines = "" if lease.loan is None else lease.loan.lines
        head = head_for(call, target, pool.address, len(body), lease.until, lines)
        connection = pool.take()
        while True:
            if connection is None:
                connection = await self._open(pool, plan, client)
            lease.connection = connection
            client.expect_within(plan.timeouts.first_byte, "begin to answer")
            answer = connection.request(head, body)
            while not (answer.parts or answer.complete or answer.failure):
                await answer
            if not answer.failure or answer.touched or not connection.reused:
                return answer
            lease.drop()
            connection = None  # it was closed while it waited in the pool: the request never reached anyone

    async def _open(self, pool: Pool, plan: Plan, client: Client) -> Connection:
        client.expect_within(plan.timeouts.connect, "accept the connection")
        try:
            return await pool.open()
        except ApiError as error:
            raise ConnectError(f"no connection within {plan.timeouts.connect:g} s") from error
