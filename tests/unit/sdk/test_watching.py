"""A call is watched to its end, whatever brings that about (test_operations.py has it over HTTP)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.sdk.answering import EVENTS
from nexus.sdk.calls import RunningCall
from nexus.sdk.responder import Responder
from nexus.sdk.watching import ClientGoneError, stream, watch


class Caller:
    """One that asks, hears what is sent to it and may leave."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.heard: list[Any] = []

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.heard.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.heard)


def running(work: Any) -> RunningCall:
    made = RunningCall()
    made.task = asyncio.create_task(work)
    return made


async def raises(error: Exception) -> None:
    raise error


async def test_what_the_call_raises_is_raised() -> None:
    caller = Caller()
    with pytest.raises(ApiError, match="busy"):
        await watch(running(raises(ApiError(OVERLOADED, "busy"))), caller.receive, Responder(caller.send), 5)
    with pytest.raises(ApiError, match="gave the call up"):
        await watch(running(raises(asyncio.CancelledError())), caller.receive, Responder(caller.send), 5)  # type: ignore[arg-type]
    assert not caller.heard


async def test_a_caller_that_leaves_stops_the_call() -> None:
    caller = Caller()
    call = running(asyncio.sleep(60))
    caller.leaves.set()
    with pytest.raises(ClientGoneError):
        await watch(call, caller.receive, Responder(caller.send), None)
    assert call.stopped.result() is None
    with pytest.raises(asyncio.CancelledError):
        await call.task  # type: ignore[misc]


@pytest.mark.parametrize(("seconds", "code"), [(0.01, "upstream_timeout"), (None, "overloaded"), (5, "overloaded")])
async def test_a_call_that_is_stopped_or_late_is_told_so(seconds: float | None, code: str) -> None:
    caller = Caller()
    call = running(asyncio.sleep(60))
    if code == "overloaded":
        asyncio.get_running_loop().call_later(0.01, call.stop, ApiError(OVERLOADED, "stopped"))
    await watch(call, caller.receive, Responder(caller.send), seconds)
    assert json.loads(caller.body)["error"]["code"] == code
    assert call.task is not None
    await asyncio.wait([call.task])
    assert call.task.cancelled()


async def test_an_early_error_sends_no_head_and_items_are_closed_in_any_case() -> None:
    closed: list[str] = []

    async def items(name: str, fails: int) -> AsyncIterator[dict[str, int]]:
        try:
            for number in range(3):
                if number == fails:
                    raise ApiError(OVERLOADED, "busy")
                yield {"n": number}
        finally:
            closed.append(name)

    caller = Caller()
    with pytest.raises(ApiError):
        await stream(items("early", 0), Responder(caller.send), lambda _: EVENTS)
    assert not caller.heard
    with pytest.raises(ApiError):
        await stream(items("late", 1), Responder(caller.send), lambda _: EVENTS)
    assert caller.body == b'data: {"n":0}\n\n'
    caller = Caller()
    first: list[Any] = []
    await stream(items("whole", 9), Responder(caller.send), lambda item: first.append(item) or EVENTS)  # type: ignore[func-returns-value]
    assert caller.body.count(b"data: ") == 3
    assert first == [{"n": 0}]
    assert closed == ["early", "late", "whole"]
