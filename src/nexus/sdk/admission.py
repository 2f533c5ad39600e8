"""The bounded queue before the engine: so many calls at once, so many waiting, and 429 at once beyond that."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from nexus.contract.errors import CONCURRENCY_EXCEEDED, ApiError

RETRY_AFTER: Final = 1.0


class Admission:
    """Places for `max_concurrency` calls, first come first served. For the event loop's thread alone."""

    def __init__(self, max_concurrency: int, max_queue: int) -> None:
        self._free = max_concurrency
        self._max_queue = max_queue
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """How many calls wait for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place; wait for it in the queue. Raises ApiError (429) at once when the queue is full.

        A caller that is cancelled while it waits leaves the queue.
        """
        await self._enter()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._leave()

    async def _enter(self) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._max_queue:
            raise ApiError(
                CONCURRENCY_EXCEEDED,
                f"{self.in_flight} calls are running and {self.queued} wait: try again later",
                retry_after=RETRY_AFTER,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # it may have been passed over already
                    self._waiting.remove(turn)
            else:  # the place was handed over in the very turn of the loop in which the caller left
                self._leave()
            raise

    def _leave(self) -> None:
        """Hand the place to the one that waits longest, or lay it back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
