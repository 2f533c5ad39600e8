"""Blocking work in threads: bounded, with back-pressure, and never left running unseen."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from nexus.sdk.workers import MAX_ITEMS, Workers, settled

WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD")


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    pool = Workers(1, "test")
    yield pool
    pool.close()


async def test_a_value_comes_from_a_thread_that_sees_the_callers_context(workers: Workers) -> None:
    WORD.set("here")
    name, word = await workers.run(lambda: (threading.current_thread().name, WORD.get()))
    assert name.startswith("test")
    assert word == "here"


async def test_an_exception_comes_through(workers: Workers) -> None:
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await workers.run(work)


async def test_a_cancelled_caller_waits_for_the_thread(workers: Workers) -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(10)
        ended.set()

    task = asyncio.create_task(workers.run(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_items_come_in_order(workers: Workers) -> None:
    assert [item async for item in workers.iterate(iter(range(1000)))] == list(range(1000))


async def test_an_iterators_exception_comes_after_its_items(workers: Workers) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("late")

    stream = workers.iterate(items())
    assert await anext(stream) == 1
    with pytest.raises(ValueError, match="late"):
        await anext(stream)


async def test_the_thread_is_at_most_so_many_items_ahead(workers: Workers) -> None:
    made = 0
    full = threading.Event()

    def items() -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            if made == MAX_ITEMS + 2:
                full.set()
            yield made

    stream = workers.iterate(items())
    assert await anext(stream) == 1
    await asyncio.to_thread(full.wait)
    assert made == MAX_ITEMS + 2  # one read, MAX_ITEMS in the pipe, one in the thread's hand
    await stream.aclose()
    assert made == MAX_ITEMS + 2


async def test_closing_closes_the_generator_and_waits_for_it(workers: Workers) -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    stream = workers.iterate(items())
    await anext(stream)
    await stream.aclose()
    assert closed.is_set()
    assert await workers.run(lambda: "the thread is free") == "the thread is free"


async def test_cancelled_while_it_waits_for_an_item(workers: Workers) -> None:
    begun, release = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        begun.set()
        release.wait(10)
        yield 1

    stream = workers.iterate(items())
    task = asyncio.ensure_future(anext(stream))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_settled_waits_whatever_the_result() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiter = asyncio.create_task(settled(future))
    await asyncio.sleep(0)
    future.set_exception(ValueError("seen"))
    await waiter
