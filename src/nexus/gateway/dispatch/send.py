"""Sends a call to the targets of its plan, one after another, until one answers.

Laws: a target is left for the next one only while nothing of an answer has come from it; a connection from the pool
that turns out to be closed costs nothing but a new one; whatever ends a call, its lease ends with it.
"""

from collections.abc import Callable

from nexus.contract.errors import NO_READY_SERVICE, UPSTREAM_ERROR, ApiError
from nexus.gateway.dispatch.message import body_for, head_for
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.connection import Connection
from nexus.gateway.upstream.pool import ConnectError, Pool
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Client, Plan, Reply

ReportRefused = Callable[[str, str], None]


class Lease:
    """What a call holds while it is answered: a place in its instance's count, and the connection."""

    __slots__ = ("_connection", "_upstreams", "attempts", "target")

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._connection: Connection | None = None
        self.target: Target | None = None
        self.attempts = 0

    def take(self, target: Target) -> None:
        """Count the call at `target` and no longer at the one before."""
        if self.target is not None:
            self.release()
        self.target = target
        self.attempts += 1
        self._upstreams.enter(target.instance.url)

    def hold(self, connection: Connection) -> None:
        """Answer for `connection` from now on."""
        self._connection = connection

    def drop(self) -> None:
        """Give up the connection: kept for the next call if its answer is whole, closed if it is not."""
        connection = self._connection
        if connection is not None:
            self._connection = None
            connection.release()

    def release(self) -> None:
        """Give everything back. May be called again."""
        self.drop()
        if self.target is not None:
            self._upstreams.leave(self.target.instance.url)
            self.target = None


class Dispatcher:
    """Sends calls; tells `report_refused` (base URL, reason) which instances take no connections."""

    def __init__(self, upstreams: Upstreams, report_refused: ReportRefused) -> None:
        self._upstreams = upstreams
        self._report_refused = report_refused

    def lease(self) -> Lease:
        return Lease(self._upstreams)

    async def send(self, call: Call, plan: Plan, client: Client, lease: Lease) -> Reply:
        """The answer's head, once the first byte of its body (or its end) is there. Raises ApiError (502, 503)."""
        failure: ApiError | None = None
        for target in plan.targets:
            lease.take(target)
            try:
                connection = await self._ask(call, plan, target, client, lease)
            except ConnectError as error:
                self._report_refused(target.instance.url, str(error))
                message = f"{target.instance.service} takes no connections: {error}"
                failure = ApiError(NO_READY_SERVICE, message, retry_after=1)
                continue
            if connection.failure and not connection.touched:
                failure = ApiError(UPSTREAM_ERROR, f"{target.instance.service}: {connection.failure}.")
                lease.drop()
                continue
            if connection.failure and not connection.parts:
                raise ApiError(UPSTREAM_ERROR, f"{target.instance.service}: {connection.failure}.")
            return Reply(
                connection.status,
                connection.headers,
                connection.content_type,
                connection.length,
                connection,
                target,
                lease.attempts,
            )
        if failure is None:
            raise AssertionError("a plan has at least one target")
        raise failure

    async def _ask(self, call: Call, plan: Plan, target: Target, client: Client, lease: Lease) -> Connection:
        """Send the call to one target and wait for the first byte. Raises ConnectError."""
        pool = self._upstreams.pool(target.instance.data_url or target.instance.url)
        body = body_for(call, target)
        head = head_for(call, target, pool.address, body)
        connection = pool.take()
        while True:
            if connection is None:
                connection = await self._open(pool, plan, client)
            lease.hold(connection)
            client.expect_within(plan.timeouts.first_byte, "begin to answer")
            connection.request(head, body)
            while not (connection.complete or connection.failure or connection.parts):
                await connection.arrival
            if not (connection.failure and connection.reused and not connection.touched):
                return connection
            lease.drop()
            connection = None  # it was closed while it waited in the pool: the request never reached anyone

    async def _open(self, pool: Pool, plan: Plan, client: Client) -> Connection:
        client.expect_within(plan.timeouts.connect, "accept the connection")
        try:
            return await pool.open()
        except ApiError as error:
            raise ConnectError(f"no connection within {plan.timeouts.connect:g} s") from error
