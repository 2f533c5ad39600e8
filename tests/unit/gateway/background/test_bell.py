"""The bell: whoever waits is woken, all at once, and never waits beyond its time."""

import asyncio

from nexus.gateway.background.bell import Bell


async def waiting(bell: Bell, number: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(bell.wait(60)) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_wait_are_woken() -> None:
    bell = Bell()
    tasks = await waiting(bell, 3)
    assert not any(task.done() for task in tasks)
    bell.ring()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)


async def test_a_ring_is_over_for_those_who_come_later() -> None:
    bell = Bell()
    bell.ring()
    (late,) = await waiting(bell, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not late.done()
    bell.ring()
    async with asyncio.timeout(5):
        await late


async def test_who_waits_does_so_no_longer_than_it_said() -> None:
    async with asyncio.timeout(5):
        await Bell().wait(0.01)


async def test_who_is_cancelled_while_it_waits_is_told_so() -> None:
    (task,) = await waiting(Bell(), 1)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
