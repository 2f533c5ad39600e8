"""So many at once, so many waiting, first come first served, and no place is ever lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.contract.errors import ApiError
from nexus.sdk.admission import Admission


async def hold(admission: Admission, log: list[str], name: str, release: asyncio.Event) -> None:
    async with admission.place():
        log.append(name)
        await release.wait()


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_queue_is_first_come_first_served_and_bounded() -> None:
    admission, log, release = Admission(1, 2), [], asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, log, name, release)) for name in "abc"]
    await turns()
    assert (log, admission.in_flight, admission.queued) == (["a"], 1, 2)
    with pytest.raises(ApiError) as caught:
        async with admission.place():
            pass
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (429, "concurrency_exceeded", 1.0)
    release.set()
    await asyncio.gather(*tasks)
    assert (log, admission.in_flight, admission.queued) == (["a", "b", "c"], 0, 0)


async def test_a_waiting_caller_that_leaves_gives_its_place_back() -> None:
    admission, log, release = Admission(1, 1), [], asyncio.Event()
    first = asyncio.create_task(hold(admission, log, "a", release))
    second = asyncio.create_task(hold(admission, log, "b", release))
    await turns()
    second.cancel()
    await turns()
    assert admission.queued == 0
    third = asyncio.create_task(hold(admission, log, "c", release))
    release.set()
    await asyncio.gather(first, third)
    assert log == ["a", "c"]


async def test_a_place_handed_to_one_that_leaves_goes_on_to_the_next() -> None:
    admission, log, release = Admission(1, 2), [], asyncio.Event()
    first = asyncio.create_task(hold(admission, log, "a", release))
    second = asyncio.create_task(hold(admission, log, "b", asyncio.Event()))
    third = asyncio.create_task(hold(admission, log, "c", release))
    await turns()
    first.cancel()
    release.set()
    await asyncio.sleep(0)  # the first gives its place to the second …
    second.cancel()  # … which leaves in the same turn
    await asyncio.gather(third)
    assert log[-1] == "c"
    await asyncio.gather(first, second, return_exceptions=True)
    async with admission.place():
        assert admission.in_flight == 1


async def test_one_that_leaves_as_its_turn_comes_up_is_passed_over() -> None:
    admission, log, release = Admission(1, 2), [], asyncio.Event()
    first = asyncio.create_task(hold(admission, log, "a", release))
    second = asyncio.create_task(hold(admission, log, "b", release))
    await turns()
    release.set()
    second.cancel()  # it hears of it only after the first has gone
    with pytest.raises(asyncio.CancelledError):
        await second
    await first
    async with admission.place():
        assert (admission.in_flight, admission.queued) == (1, 0)


async def test_a_position_counts_those_before_and_oneself() -> None:
    admission, leaver, follower = Admission(1, 3), object(), object()

    async def wait(who: object) -> None:
        async with admission.place(who):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(wait(who)) for who in (None, None, leaver, follower)]
    await turns()
    assert (admission.position(leaver), admission.position(follower), admission.position(object())) == (2, 3, 0)
    tasks[2].cancel()
    assert (admission.position(leaver), admission.position(follower)) == (0, 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), max_size=60))
def test_no_order_of_comings_and_goings_loses_a_place(steps: list[tuple[int, bool, bool]]) -> None:
    async def play() -> None:
        admission = Admission(2, 3)
        tasks: dict[int, tuple[asyncio.Task[None], asyncio.Event]] = {}
        left: list[asyncio.Task[None]] = []
        for name, cancel, breathe in steps:
            if name not in tasks:
                release = asyncio.Event()
                tasks[name] = (asyncio.create_task(hold(admission, [], str(name), release)), release)
            elif cancel:
                left.append(tasks.pop(name)[0])
                left[-1].cancel()
            else:
                task, release = tasks.pop(name)
                release.set()
                left.append(task)
            if breathe:
                await asyncio.sleep(0)
            assert admission.in_flight <= 2
            assert admission.queued <= 3
        for task, release in tasks.values():
            release.set()
            await asyncio.gather(task, return_exceptions=True)
        for ended in await asyncio.gather(*left, return_exceptions=True):
            assert ended is None or isinstance(ended, asyncio.CancelledError | ApiError)
        assert (admission.in_flight, admission.queued) == (0, 0)
        async with admission.place(), admission.place():
            pass

    asyncio.run(play())
