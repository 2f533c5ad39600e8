"""Keeps what tokens use of their budgets in the database, and learns what they use at other gateways.

Beside the request path, about once a second; nobody waits for it. While the database is away, memory goes on counting:
all of it is written once the database is back, and written twice it is as good as once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from nexus.gateway.config import Config
from nexus.gateway.log import Log
from nexus.gateway.storage import Store
from nexus.gateway.told_once import ToldOnce
from nexus.policies.spending import Spendings
from nexus.store.rows import Amounts, UsedAmounts

EXCHANGE_SECONDS: Final = 0.8
SWEEP_SECONDS: Final = 3600.0
KEPT_SECONDS: Final = 86_400.0
"""What was used in a period is kept for so long once that is over: clocks differ, and nobody needs it longer."""

LAST_SECONDS: Final = 3.0
"""How long the end of the gateway waits for the last writing."""


class BudgetBook:
    """`run` it beside the server, `close` it once no call runs any more, before the storage. `now`: Unix seconds."""

    def __init__(
        self, spendings: Spendings, config: Config, store: Store, log: Log, now: Callable[[], float] = time.time
    ) -> None:
        self._spendings = spendings
        self._store = store
        self._now = now
        self._gateway = f"gateway-{secrets.token_hex(8)}"  # of this process alone: nobody else writes its rows
        self._written: dict[tuple[str, str, float], Amounts] = {}
        self._version = -1  # of what was read last
        self._sweep_at = 0.0
        self._exchanging = asyncio.Lock()
        self._failures = ToldOnce(log, "budgets_not_shared")
        self.apply_config(config)

    def apply_config(self, config: Config) -> None:
        """nexus.yaml says this now. Where no policy has budgets, the database is not asked."""
        self._wanted = any(policy.budgets is not None for policy in config.policies.values())

    async def run(self) -> None:
        """Write and read, for ever."""
        while True:
            if self._wanted:
                await self.exchange()
            await asyncio.sleep(EXCHANGE_SECONDS)

    async def close(self) -> None:
        """Write what was counted last, if the database takes it soon."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                if self._counted()[1]:
                    await self.exchange()
        except TimeoutError:
            self._failures.tell("the database did not answer before the end")

    async def exchange(self) -> None:
        """Write what was counted since, read what others have; a failure is told in the log, and nothing is lost."""
        with self._failures.trying():
            async with self._exchanging:
                await self._exchange()

    async def _exchange(self) -> None:
        opened = await self._store.opened()
        now = self._now()
        counted, unwritten = self._counted()
        self._version, told = await opened.usages.exchange(self._gateway, unwritten, self._version, now)
        self._written = {_key(one): one.amounts for one in counted}
        self._spendings.learn(told, now)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            await opened.usages.sweep(now - KEPT_SECONDS)

    def _counted(self) -> tuple[list[UsedAmounts], list[UsedAmounts]]:
        """All that was counted here in the periods that it is, and what of it is not written so."""
        counted = list(self._spendings.counted(self._gateway))
        return counted, [one for one in counted if self._written.get(_key(one)) != one.amounts]


def _key(used: UsedAmounts) -> tuple[str, str, float]:
    return used.token, used.kind, used.starts
