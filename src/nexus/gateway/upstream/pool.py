"""The connections to one instance: the idle ones, newest first, the opening of new ones, and its calls in flight."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final

from nexus.gateway.drive import Signal
from nexus.gateway.upstream.address import Address
from nexus.gateway.upstream.connection import Connection

IDLE_SECONDS: Final = 30.0
IDLE_CONNECTIONS: Final = 512


class ConnectError(OSError):
    """No connection could be made: refused, no route, no such host, TLS failed. Nothing was sent."""


class Pool:
    """Connections to one address; at most `IDLE_CONNECTIONS` are kept for later, each for `IDLE_SECONDS`.

    `idle` are those that can be taken, from the end: which were used last. `in_flight` is the number of calls that run
    there: what least-busy planning reads. `freed` is told whenever one less does.
    """

    def __init__(
        self,
        url: str,
        tls: Callable[[], ssl.SSLContext],
        loop: asyncio.AbstractEventLoop,
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = url
        self.address = Address.of(url)
        self.in_flight = 0
        self._retired = False
        self._tls = tls
        self._loop = loop
        self._freed = freed
        self.idle: deque[Connection] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()

    def leave(self) -> None:
        """A call that ran there has ended: somebody else may have its place."""
        self.in_flight -= 1
        self._freed()

    async def open(self) -> Connection:
        """A new connection. Raises ConnectError; an interruption ends the attempt."""
        done = Signal()
        opening = _Opening(done)
        task = self._loop.create_task(self._connect(opening))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        try:
            await done
        except BaseException:  # whatever interrupts the call: nobody waits for the connection any more
            task.cancel()
            if opening.connection is not None:
                opening.connection.abort()
            raise
        if opening.connection is None:
            raise ConnectError(opening.error)
        return opening.connection

    async def _connect(self, opening: "_Opening") -> None:
        address = self.address
        try:
            _, opening.connection = await self._loop.create_connection(
                lambda: Connection(self._keep, self._drop),
                address.host,
                address.port,
                ssl=self._tls() if address.tls else None,
            )
        except (OSError, UnicodeError) as error:
            opening.error = str(error) or type(error).__name__
        else:
            self._connections.add(opening.connection)
        opening.done.set()

    def retire(self) -> None:
        """Keep nothing any more: calls that run here end in peace."""
        self._retired = True
        while self.idle:
            self.idle.popleft().abort()

    def _keep(self, connection: Connection) -> None:
        if self._retired:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        self.idle.append(connection)
        if len(self.idle) > IDLE_CONNECTIONS:
            self.idle.popleft().abort()

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not connection.busy and connection in self.idle:
            self.idle.remove(connection)

    def expire(self, now: float) -> bool:
        """Close what has been idle too long; True if nothing is left to keep the pool for."""
        while self.idle and self.idle[0].idle_since < now - IDLE_SECONDS:
            self.idle.popleft().abort()
        return not self._connections and not self._opening and not self.in_flight

    def close(self) -> None:
        """Close all connections and give up the opening ones."""
        for task in tuple(self._opening):
            task.cancel()
        for connection in tuple(self._connections):
            connection.abort()


class _Opening:
    """What becomes of one attempt."""

    def __init__(self, done: Signal) -> None:
        self.done = done
        self.connection: Connection | None = None
        self.error = ""
