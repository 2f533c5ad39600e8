"""Coroutines that run by hand: every law at the head of drive.py."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from nexus.gateway.drive import Drive, Signal, outside, pause
from nexus.gateway.values import ClientGoneError
from tests.servers.caller import Caller


class Kept(Drive):
    """Keeps what escapes."""

    def __init__(self) -> None:
        self.escaped: list[BaseException] = []

    def failed(self, error: BaseException) -> None:
        self.escaped.append(error)


class HaltError(Exception):
    pass


def test_it_runs_to_its_first_wait_at_once_and_on_in_the_call_that_sets_the_signal() -> None:
    signal, told = Signal(), []

    async def story() -> None:
        told.append("begun")
        await signal
        told.append("gone on")

    Kept().drive(story())
    assert told == ["begun"]
    signal.set()
    assert told == ["begun", "gone on"]


def test_a_signal_that_was_set_before_lets_one_wait_pass() -> None:
    signal, told = Signal(), []
    signal.set()
    signal.set()

    async def story() -> None:
        await signal
        told.append("first")
        await signal
        told.append("second")

    Kept().drive(story())
    assert told == ["first"]
    signal.set()
    assert told == ["first", "second"]


def test_an_interruption_is_raised_at_the_wait_and_finally_runs_before_it_returns() -> None:
    signal, told = Signal(), []

    async def story() -> None:
        try:
            await signal
        finally:
            told.append("given back")

    kept = Kept()
    kept.drive(story())
    error = HaltError()
    kept.interrupt(error)
    assert told == ["given back"]
    assert kept.escaped == [error]


def test_an_interruption_may_be_caught_and_the_signal_it_left_does_not_resume_it() -> None:
    first, second, told = Signal(), Signal(), []

    async def story() -> None:
        try:
            await first
        except HaltError:
            told.append("halted")
        await second
        told.append("second")

    kept = Kept()
    kept.drive(story())
    kept.interrupt(HaltError())
    first.set()
    assert told == ["halted"]
    second.set()
    assert told == ["halted", "second"]
    assert kept.escaped == []


def test_an_end_runs_finally_and_tells_nobody() -> None:
    signal, told = Signal(), []
    kept = Kept()

    async def story() -> None:
        try:
            await signal
        finally:
            told.append("finally")

    kept.drive(story())
    kept.end()
    assert told == ["finally"]
    signal.set()
    kept.interrupt(HaltError())
    kept.end()
    assert told == ["finally"]
    assert kept.escaped == []


def test_an_interruption_while_it_runs_waits_for_the_next_wait() -> None:
    kept, signal, told = Kept(), Signal(), []

    async def story() -> None:
        kept.interrupt(HaltError())
        told.append("ran on")
        await signal
        told.append("never")

    kept.drive(story())
    assert told == ["ran on"]
    assert [type(error) for error in kept.escaped] == [HaltError]


def test_an_interruption_while_it_runs_to_its_end_is_forgotten() -> None:
    kept = Kept()

    async def story() -> None:
        kept.interrupt(HaltError())

    kept.drive(story())
    assert kept.escaped == []


@pytest.mark.parametrize("error", [ValueError("v"), KeyboardInterrupt(), SystemExit(1)])
def test_what_escapes_goes_to_failed_and_never_to_the_one_who_set_the_signal(error: BaseException) -> None:
    kept, signal = Kept(), Signal()

    async def story() -> None:
        await signal
        raise error

    kept.drive(story())
    signal.set()
    assert kept.escaped == [error]


def test_after_its_end_nothing_happens_any_more() -> None:
    kept, signal = Kept(), Signal()

    async def story() -> None:
        await signal

    kept.drive(story())
    signal.set()
    kept.interrupt(HaltError())
    kept.resume()
    assert kept.escaped == []


def test_the_same_drive_can_take_another_coroutine() -> None:
    kept, told = Kept(), []

    async def story(name: str) -> None:
        told.append(name)

    kept.drive(story("one"))
    kept.drive(story("two"))
    assert told == ["one", "two"]


def test_what_has_ended_is_freed_without_the_collector() -> None:
    class Held:
        pass

    kept, signal = Kept(), Signal()

    def begin() -> weakref.ref[Held]:
        held = Held()

        async def story(held: Held) -> None:
            await signal

        kept.drive(story(held))
        return weakref.ref(held)

    gc.disable()
    try:
        reference = begin()
        assert reference() is not None
        signal.set()
        assert reference() is None
    finally:
        gc.enable()


def test_a_drive_must_say_what_becomes_of_failures() -> None:
    with pytest.raises(NotImplementedError):
        Drive().failed(ValueError())


async def outcome(work: Any) -> Any:
    """What a story of the lane gets from `work`, which awaits futures."""
    return await Caller().run(outside(asyncio.get_running_loop(), work))


async def test_work_outside_the_lane_may_await_anything_and_its_value_comes_back() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return await asyncio.to_thread(str.upper, "done")

    assert await outcome(work()) == "DONE"


async def test_what_work_outside_raises_is_raised_in_the_lane() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise HaltError

    with pytest.raises(HaltError):
        await outcome(work())


async def test_an_interruption_cancels_the_work_outside_and_goes_on() -> None:
    begun, told = asyncio.Event(), []

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.append("given back")

    caller = Caller()
    caller.start(outside(asyncio.get_running_loop(), work()))
    await begun.wait()
    caller.interrupt(HaltError())
    with pytest.raises(HaltError):
        await caller.result()
    async with asyncio.timeout(5):
        while not told:
            await asyncio.sleep(0)


async def test_work_that_is_through_when_the_story_is_interrupted_resumes_nobody() -> None:
    gate, kept = asyncio.Event(), Kept()

    async def work() -> None:
        await gate.wait()

    kept.drive(outside(asyncio.get_running_loop(), work()))
    await asyncio.sleep(0)
    gate.set()
    error = HaltError()
    kept.interrupt(error)
    for _ in range(5):
        await asyncio.sleep(0)
    assert kept.escaped == [error]


async def test_a_pause_is_as_long_as_it_was_asked_for_and_can_be_interrupted() -> None:
    loop = asyncio.get_running_loop()
    caller, began = Caller(), loop.time()
    await caller.run(pause(loop, 0.02))
    assert loop.time() - began >= 0.019  # the loop's clock goes by milliseconds
    caller = Caller()
    caller.start(pause(loop, 3600))
    caller.leave()
    with pytest.raises(ClientGoneError):
        await caller.result()
