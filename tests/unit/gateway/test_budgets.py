"""The book writes what is counted here and learns what is counted elsewhere, over real databases; nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from nexus.gateway import budgets as module
from nexus.gateway.budgets import KEPT_SECONDS, SWEEP_SECONDS, BudgetBook
from nexus.gateway.config import Config
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Store, opening
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.policy import Policy
from nexus.policies.spending import Spendings
from nexus.store.errors import DatabaseError
from nexus.store.usage import Usages
from tests.servers.clock import Clock

DAY = 86_400.0
CONFIG = Config(policies={"kids": Policy("kids", budgets=Budgets(Budget(5)))})


class Book:
    """A gateway's book; all that a test makes share a storage and a clock."""

    def __init__(self, clock: Clock, config: Config, store: Store) -> None:
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.clock = clock
        self.spendings = Spendings()
        self.store = store
        self.book = BudgetBook(self.spendings, config, store, self.log, clock)

    def log(self, _: str, event: str, **fields: object) -> None:
        self.logged.append((event, fields))

    def failures(self) -> int:
        return sum(event == "budgets_not_shared" for event, _ in self.logged)

    def use(self, tokens: int = 0, name: str = "ada") -> None:
        spending = self.spendings.of(name, self.clock.now, UTC)
        spending.add_request()
        spending.add(tokens, 0.5)

    def used(self, name: str = "ada") -> tuple[int, int, float]:
        """Requests, tokens and seconds of the day, here and elsewhere."""
        day = self.spendings.of(name, self.clock.now, UTC).day
        amounts = day.here + day.elsewhere
        return amounts.requests, amounts.tokens, amounts.engine_seconds


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Any]:
    monkeypatch.setenv("NEXUS_DATABASE_URL", database_url)
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    store = Store(opening(load_settings()), lambda *_, **__: None)
    store.start()
    opened = await store.opened()
    yield lambda config=CONFIG: Book(clock, config, store)
    await opened.files.sweep()  # the store's own is through by then
    await store.close()


Make = Callable[..., Book]


async def exchanged(*books: Book) -> None:
    for book in books:
        await book.book.exchange()


async def test_what_one_counts_the_other_knows(make: Make) -> None:
    first, second = make(), make()
    first.use(7)
    second.use(1)
    second.use(2, "bob")
    await exchanged(first, second, first)
    assert first.used() == second.used() == (2, 8, 1.0)
    assert first.used("bob") == second.used("bob") == (1, 2, 0.5)
    first.use(10)
    await exchanged(first, second, first, second, first)
    assert first.used() == second.used() == (3, 18, 1.5)


async def test_a_gateway_begun_anew_knows_what_it_had_counted(make: Make) -> None:
    before = make()
    before.use(7)
    await before.book.close()
    after = make()
    after.use(1)
    await exchanged(after)
    assert after.used() == (2, 8, 1.0)


async def test_an_end_with_nothing_to_write_asks_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    book = make()

    async def never(*_: object) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr(Usages, "exchange", never)
    await book.book.close()
    assert not book.failures()


@pytest.mark.parametrize("written", [True, False])
async def test_a_write_whose_outcome_nobody_knows_counts_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    first, second = make(), make()
    first.use(7)
    exchange = Usages.exchange

    async def lost(self: Usages, *given: Any) -> Any:
        if written:
            await exchange(self, *given)
        raise DatabaseError("the connection was lost")

    with monkeypatch.context() as patched:
        patched.setattr(Usages, "exchange", lost)
        await exchanged(first, first)
    assert first.failures() == 1  # told once, however often it is tried
    first.use(2)
    await exchanged(first, second)
    assert first.used() == second.used() == (2, 9, 1.0)
    await exchanged(first)
    assert first.failures() == 1


async def test_what_is_wrong_in_a_way_that_nobody_foresaw_passes_too(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = make()
    book.use()
    with monkeypatch.context() as patched:

        async def odd(*_: object) -> None:
            raise TypeError("odd")

        patched.setattr(Usages, "exchange", odd)
        await exchanged(book)
    assert "TypeError" in str(book.logged)
    other = make()
    await exchanged(book, other)
    assert other.used()[0] == 1


async def test_what_has_not_changed_is_not_written_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    book = make()
    given: list[int] = []
    exchange = Usages.exchange

    async def watched(self: Usages, gateway: str, counted: Any, *rest: Any) -> Any:
        given.append(len(counted))
        return await exchange(self, gateway, counted, *rest)

    monkeypatch.setattr(Usages, "exchange", watched)
    book.use()
    book.use(name="bob")
    await exchanged(book, book)
    book.use()
    await exchanged(book, book)
    assert given == [4, 0, 2, 0]  # a day and a month each


async def test_a_day_that_is_over_is_begun_anew_and_forgotten_later(make: Make, clock: Clock) -> None:
    first, second = make(), make()
    first.use(7)
    await exchanged(first, second)
    clock.now = DAY + 1
    assert first.used() == second.used() == (0, 0, 0.0)
    second.use(1)
    await exchanged(second, first)
    assert first.used() == second.used() == (1, 1, 0.5)
    assert first.spendings.of("ada", clock.now, UTC).month.elsewhere.tokens == 1
    clock.now = DAY + KEPT_SECONDS + SWEEP_SECONDS + 1
    await exchanged(first)
    opened = await first.store.opened()
    assert await opened.usages.sweep(clock.now - KEPT_SECONDS) == 0  # it was swept just now
    third = make()
    await exchanged(third)
    assert third.spendings.of("ada", clock.now, UTC).month.elsewhere.tokens == 8


async def test_it_exchanges_by_itself_and_only_where_anybody_has_budgets(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.EXCHANGE_SECONDS <= 1
    monkeypatch.setattr(module, "EXCHANGE_SECONDS", 0.01)
    asked = asyncio.Event()
    exchange = Usages.exchange

    async def watched(self: Usages, *given: Any) -> Any:
        asked.set()
        return await exchange(self, *given)

    monkeypatch.setattr(Usages, "exchange", watched)
    one, other = make(Config()), make()
    idle = asyncio.create_task(one.book.run())
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert not asked.is_set()
    one.book.apply_config(CONFIG)
    busy = asyncio.create_task(other.book.run())
    one.use(3)
    async with asyncio.timeout(10):
        while other.used() != (1, 3, 0.5):
            await asyncio.sleep(0.01)
    for task in (idle, busy):
        task.cancel()
    await asyncio.wait((idle, busy))


async def test_the_end_waits_for_a_database_that_does_not_answer_and_no_longer(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = make()
    book.use()
    monkeypatch.setattr(module, "LAST_SECONDS", 0.05)

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Usages, "exchange", hang)
    async with asyncio.timeout(5):
        await book.book.close()
    assert book.failures() == 1
