"""Whose turn it is at a server that holds one model at a time.

mlx_lm.server loads whatever model a request names in the place of the one that it has, after what runs has ended. Left
to itself it would swap back and forth between two callers. Here calls of the model that is in memory run side by side;
one of another model waits until they have ended, and those that come after it wait behind it, so that nobody starves.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    name: str
    most: int
    turn: asyncio.Future[bool]


class Turns:
    """First come, first served, but side by side for one model. For one event loop."""

    def __init__(self) -> None:
        self.current: str | None = None
        """The model that the server has, or is about to load; None where that is not known."""
        self._running = 0
        self._waiting: deque[_Waiting] = deque()

    @asynccontextmanager
    async def of(self, name: str, most: int) -> AsyncIterator[bool]:
        """A turn with the model `name`, at most `most` of them at once; whether the server has to swap for it."""
        swaps = await self._entered(name, most)
        try:
            yield swaps
        finally:
            self._running -= 1
            self._advance()

    def forget(self) -> None:
        """The server has no model that is known: it was started anew, or could not load the last one."""
        self.current = None

    async def _entered(self, name: str, most: int) -> bool:
        waiting = _Waiting(name, most, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._advance()
        try:
            return await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self._running -= 1  # the turn came just as its caller left
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            self._advance()
            raise

    def _advance(self) -> None:
        """Give turns to those at the head of the queue, as long as they may run now."""
        while self._waiting and self._may_run(self._waiting[0]):
            next_one = self._waiting.popleft()
            if next_one.turn.cancelled():  # its caller left, and does not know yet
                continue
            swaps = next_one.name != self.current
            self.current = next_one.name
            self._running += 1
            next_one.turn.set_result(swaps)

    def _may_run(self, waiting: _Waiting) -> bool:
        if self._running == 0:
            return True
        return waiting.name == self.current and self._running < waiting.most
