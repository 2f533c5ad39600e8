"""What a call holds while it is answered, and gives back exactly once."""

from math import inf
from typing import Protocol

from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.pool import Pool
from nexus.policies.stopwatch import Stopwatch


class Loan(Protocol):
    """Leave for a service to ask the gateway in its caller's name: `lines` are the header lines that tell it."""

    lines: str

    def give_back(self) -> None:
        """It ends with the call."""


class Lease:
    """A place in an instance's count, the connection, and what was tried: `tried` are the targets before `target`.

    An answer that goes on is `watched`: the circuits are told how it ended when the lease lets go of it. Whoever finds
    that it has stalled tells it so (`Answer.stall`). `shunned` are service and instance that are not asked first, where
    there is another one: an earlier run of the same job broke off there. `asked` is when the connection was written to
    last (monotonic), `until` when nobody waits any more (Unix seconds). `stopwatch`, where there is one, measures for
    how long an instance is held.
    """

    shunned: tuple[str, str] | None = None
    connection: Connection | None = None
    target: Target | None = None
    tried: tuple[Target, ...] = ()
    attempts = 0
    loan: Loan | None = None
    until = inf
    asked = 0.0
    stopwatch: Stopwatch | None = None
    _pool: Pool | None = None
    _watched: Answer | None = None
    _health: Health | None = None

    def take(self, target: Target, pool: Pool) -> None:
        """Count the call at `target` and no longer at the one before.

        Who asks the same instance again keeps its place there: another call may wait for each that comes free.
        """
        before = None
        if self.target is not None:
            before = self._let_go()
        self.target = target
        self.attempts += 1
        if self.stopwatch is not None:
            self.stopwatch.start()
        if before is not pool:
            self._pool = pool
            pool.in_flight += 1
            if before is not None:
                before.leave()

    def _let_go(self) -> Pool | None:
        """What was asked last was tried; of it only the place is still held, in this pool."""
        if self.target is not None:
            self.tried = (*self.tried, self.target)
        if self._pool is not None:
            self.drop()
            self._end_loan()
        return self._pool

    @property
    def pool(self) -> Pool | None:
        """Where it counts the call."""
        return self._pool

    def pause(self) -> None:
        """Until it is taken again, nothing is asked of the instance."""
        if self.stopwatch is not None:
            self.stopwatch.stop()

    def watch(self, answer: Answer, health: Health) -> None:
        """Tell `health` how this answer ends."""
        self._watched = answer
        self._health = health

    def adopt(self, other: "Lease") -> None:
        """Give back what is held, and hold what `other` does from now on: its attempt is the one that counts."""
        self.release()
        self.add_time(other)
        if self.target is not None:
            self.tried = (*self.tried, self.target)
        self.target = other.target
        self.connection, other.connection = other.connection, None
        self.loan, other.loan = other.loan, None
        self._pool, other._pool = other._pool, None

    def add_time(self, other: "Lease") -> None:
        """For how long `other` held an instance is measured as this one's, beside its own."""
        if self.stopwatch is not None and other.stopwatch is not None:
            self.stopwatch.take_over(other.stopwatch)

    def drop(self) -> None:
        """Give up the connection: kept for the next call if its answer is whole, closed if it is not."""
        if self._watched is not None:
            self._tell()
        connection = self.connection
        if connection is not None:
            self.connection = None
            connection.release()

    def release(self) -> None:
        """Give everything back; `target` stays to be told. May be called again."""
        if self.loan is not None:
            self._end_loan()
        if self._watched is not None:
            self._tell()
        connection = self.connection
        if connection is not None:
            self.connection = None
            connection.release()
        pool = self._pool
        if pool is not None:
            self._pool = None
            pool.leave()
            if self.stopwatch is not None:
                self.stopwatch.stop()

    def _end_loan(self) -> None:
        loan = self.loan
        if loan is not None:
            self.loan = None
            loan.give_back()

    def _tell(self) -> None:
        answer, self._watched = self._watched, None
        if answer is None or self._health is None or self.target is None:
            return
        if answer.failure:
            self._health.failed(self.target, Failure.STALLED if answer.stalled else Failure.CUT)
        elif answer.complete:
            self._health.ok(self.target)
