"""One timer for the deadlines of all connections: a request pays an attribute for its bounds, not a timer."""

import asyncio
from typing import Final

from nexus.gateway.edge.context import Edge

INTERVAL: Final = 0.1  # seconds: how late a deadline may be noticed


class Sweeper:
    """Looks at every open connection, and for tokens that expire, ten times a second."""

    def __init__(self, edge: Edge, loop: asyncio.AbstractEventLoop) -> None:
        self._edge = edge
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._sweep)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._sweep)
        self._edge.keyring.expire()
        now = self._loop.time()
        for connection in tuple(self._edge.connections):
            connection.sweep(now)
