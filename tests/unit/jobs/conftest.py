"""A ledger on real databases of both kinds, and a clock that only the test moves."""

from collections.abc import AsyncIterator

import pytest

from nexus.jobs.ledger import Ledger
from nexus.jobs.values import Claim, Job, Order
from nexus.store.database import Database
from tests.servers.clock import Clock


class Book:
    """A ledger, its clock and a way to write jobs into it."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock(1_000_000.0)
        self.database = database
        self.ledger = Ledger(database, self.clock)
        self._count = 0

    async def enter(
        self, operation: str = "ocr", model: str | None = None, token: str = "someone", wait: float = 3600.0
    ) -> Job:
        self._count += 1
        identity = f"job_{self._count}"
        order = Order(
            identity, operation, "/v1/x", "application/json", f"jobs/{identity}/request", 2, token, model, "req-1"
        )
        return await self.ledger.enter(order, self.clock.now + wait)

    async def claimed(self, owner: str = "here", **fields: str) -> Claim:
        claim = await self.ledger.claim(await self.enter(**fields), owner, 10.0)
        assert claim is not None
        return claim


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    database = Database(database_url)
    await database.open()
    yield Book(database)
    await database.close()
