"""Swaps one after the other, calls of one model side by side, and nobody left behind."""

import asyncio

import pytest
from nexus_mlx.turns import Turns


class Caller:
    """A call that holds its turn until it is let go."""

    def __init__(self, turns: Turns, name: str, most: int = 8) -> None:
        self.swaps: bool | None = None
        self._go = asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, name, most))

    async def _run(self, turns: Turns, name: str, most: int) -> None:
        async with turns.of(name, most) as swaps:
            self.swaps = swaps
            await self._go.wait()

    @property
    def runs(self) -> bool:
        return self.swaps is not None

    async def end(self) -> None:
        self._go.set()
        await self.task


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_calls_of_one_model_run_side_by_side() -> None:
    turns = Turns()
    first, second = Caller(turns, "a"), Caller(turns, "a")
    await settled()
    assert (first.swaps, second.swaps) == (True, False)
    await first.end()
    await second.end()


async def test_another_model_waits_and_nobody_passes_it() -> None:
    turns = Turns()
    a, b, later = Caller(turns, "a"), Caller(turns, "b"), Caller(turns, "a")
    await settled()
    assert (a.runs, b.runs, later.runs) == (True, False, False)
    await a.end()
    await settled()
    assert (b.swaps, later.runs) == (True, False)
    assert turns.current == "b"
    await b.end()
    await settled()
    assert later.swaps is True
    await later.end()


async def test_no_more_at_once_than_the_model_bears() -> None:
    turns = Turns()
    first, second = Caller(turns, "a", 1), Caller(turns, "a", 1)
    await settled()
    assert (first.runs, second.runs) == (True, False)
    await first.end()
    await settled()
    assert second.swaps is False
    await second.end()


async def test_who_leaves_the_queue_frees_it() -> None:
    turns = Turns()
    a, b, later = Caller(turns, "a"), Caller(turns, "b"), Caller(turns, "a")
    await settled()
    b.task.cancel()
    await settled()
    assert later.swaps is False
    await a.end()
    await later.end()


async def test_who_leaves_just_as_the_turn_comes_gives_it_back() -> None:
    turns = Turns()
    a, b, later = Caller(turns, "a"), Caller(turns, "b"), Caller(turns, "c")
    await settled()
    a.task.cancel()
    b.task.cancel()
    await settled()
    assert not b.runs
    assert later.runs
    await later.end()
    assert Turns().current is None


async def test_a_turn_ends_with_an_error_too_and_what_is_forgotten_is_swapped_for() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="x"):
        async with turns.of("a", 1):
            raise ValueError("x")
    turns.forget()
    async with turns.of("a", 1) as swaps:
        assert swaps
