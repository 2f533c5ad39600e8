"""How many jobs wait and run: counted when somebody looks at the metrics, once a second at most."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from nexus.contract.errors import ApiError
from nexus.gateway.storage import Store
from nexus.gateway.values import Queue
from nexus.store.errors import StoreError

FRESH_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 1.0  # whoever scrapes waits no longer for a database that does not answer


class Tally:
    """`queue` is what the last look found.

    The waiting jobs are those of the whole database, the running ones this gateway's own, so that several gateways'
    `running` add up and their `waiting` is the same. An operation that once had jobs is told with 0 afterwards. While
    the database cannot be asked, nothing is told of what waits.
    """

    def __init__(
        self, store: Store, running: Callable[[], Mapping[str, int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._running = running
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        self._seen: dict[str, int] = {}  # every operation that had jobs, with 0
        self._waiting: Mapping[str, int] | None = None

    @property
    def queue(self) -> Queue:
        running = self._running()
        self._seen |= dict.fromkeys(running, 0)
        return Queue({} if self._waiting is None else {**self._seen, **self._waiting}, {**self._seen, **running})

    async def look(self) -> None:
        """Count what waits, unless that was done just now. It raises nothing and takes a second at most."""
        async with self._looking:
            if self._looked_at is not None and self._clock() - self._looked_at < FRESH_SECONDS:
                return
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    self._waiting = await (await self._store.opened()).ledger.queue_lengths()
            except (ApiError, StoreError, TimeoutError):  # the storage's own log says what is wrong with it
                self._waiting = None
            else:
                self._seen |= dict.fromkeys(self._waiting, 0)
            self._looked_at = self._clock()
