"""The bounded queue before the engine: so many calls at once, so many waiting, and 429 at once beyond that."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import CONCURRENCY_EXCEEDED, ApiError

RETRY_AFTER: Final = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class _Turn:
    """One that waits: `who` it is, and what is done once its turn has come."""

    who: object
    come: asyncio.Future[None]


class Admission:
    """Places for `max_concurrency` calls, first come first served. For the event loop's thread alone."""

    def __init__(self, max_concurrency: int, max_queue: int) -> None:
        self._free = max_concurrency
        self._max_queue = max_queue
        self._waiting: deque[_Turn] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """How many calls wait for a place."""
        return len(self._waiting)

    def position(self, who: object) -> int:
        """How many turns `who` has to wait, its own included: 1 is the next. 0 when it does not wait."""
        waiting = (turn.who for turn in self._waiting if not turn.come.done())
        return next((number for number, one in enumerate(waiting, 1) if one is who), 0)

    @asynccontextmanager
    async def place(self, who: object = None) -> AsyncIterator[None]:
        """Hold one place; wait for it in the queue. Raises ApiError (429) at once when the queue is full.

        A caller that is cancelled while it waits leaves the queue. `who` is whom `position` knows the caller as.
        """
        await self._enter(who)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._leave()

    async def _enter(self, who: object) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._max_queue:
            raise ApiError(
                CONCURRENCY_EXCEEDED,
                f"{self.in_flight} calls are running and {self.queued} wait: try again later",
                retry_after=RETRY_AFTER,
            )
        turn = _Turn(who, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        try:
            await turn.come
        except asyncio.CancelledError:
            if turn.come.cancelled():
                with suppress(ValueError):  # it may have been passed over already
                    self._waiting.remove(turn)
            else:  # the place was handed over in the very turn of the loop in which the caller left
                self._leave()
            raise

    def _leave(self) -> None:
        """Hand the place to the one that waits longest, or lay it back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.come.done():
                turn.come.set_result(None)
                return
        self._free += 1
