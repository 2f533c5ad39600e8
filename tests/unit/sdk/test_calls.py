"""A running call is stopped once, and all of them can be waited for."""

import asyncio
import logging

import pytest

from nexus.contract.errors import INTERNAL_ERROR, ApiError
from nexus.sdk.calls import RunningCall, RunningCalls
from nexus.sdk.engine import Call, Model


async def started(calls: RunningCalls) -> RunningCall:
    running = RunningCall()
    running.call = Call("id", Model("m"), {})
    calls.add(running, asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return running


async def test_a_stop_tells_the_engine_and_cancels_the_task() -> None:
    calls = RunningCalls()
    running = await started(calls)
    error = ApiError(INTERNAL_ERROR, "over")
    running.stop(error)
    running.stop(None)
    assert running.stopped.result() is error
    assert running.call is not None
    assert running.call.cancelled
    assert await calls.ended(5)
    assert len(calls) == 0


async def test_a_callback_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    calls = RunningCalls()
    running = await started(calls)
    assert running.call is not None
    running.call.on_cancel(lambda: 1 / 0)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        running.stop(None)
    assert "on_cancel" in caplog.text
    assert await calls.ended(5)


async def test_waiting_for_calls_has_an_end() -> None:
    calls = RunningCalls()
    await started(calls)
    assert not await calls.ended(0)
    calls.stop_all(ApiError(INTERNAL_ERROR, "over"))
    assert await calls.ended(5)


async def test_a_call_is_found_by_its_requests_id_while_it_runs() -> None:
    calls = RunningCalls()
    first = await started(calls)
    assert calls.of("id") is first
    second = await started(calls)
    first.stop(None)
    await asyncio.wait([first.task])  # type: ignore[list-item]
    await asyncio.sleep(0)
    assert calls.of("id") is second
    second.stop(None)
    assert await calls.ended(5)
    assert calls.of("id") is None
