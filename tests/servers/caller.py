"""A caller without a connection: drives a coroutine of the lane, as an exchange does, and keeps what it was sent."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nexus.gateway.drive import Drive, Signal
from nexus.gateway.values import ClientGoneError, LateError

T = TypeVar("T")


class Caller(Drive):
    """`end` is "" until the answer ends: then `whole`, `finished`, `closed` (whole, and so is the connection) or `cut`.

    `head` are the header lines, `length` the announced size of the body; both stay None until a head was sent.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._result: asyncio.Future[Any] = self._loop.create_future()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._writable = Signal()
        self.write_paused = False
        self.head_sent = False
        self.status = 0
        self.head: bytes | None = None
        self.length: int | None = None
        self.body = b""
        self.end = ""
        self.told_to_wait: list[str] = []

    # --- for tests

    async def run(self, coroutine: Coroutine[Signal, None, T]) -> T:
        """The value of `coroutine`, or what it raises."""
        self.start(coroutine)
        return await self.result()

    def start(self, coroutine: Coroutine[Signal, None, Any]) -> None:
        """Let `coroutine` run to its first wait."""
        self.drive(self._told(coroutine))

    async def result(self) -> Any:
        """What the coroutine came to, at most ten seconds from now."""
        try:
            async with asyncio.timeout(10):
                return await asyncio.shield(self._result)
        finally:
            for timer in self._timers.values():
                timer.cancel()

    def leave(self) -> None:
        """As a client that closes its connection."""
        self.interrupt(ClientGoneError("gone"))

    def resume_writing(self) -> None:
        """As a client that reads on."""
        self.write_paused = False
        self._writable.set()

    async def until(self, condition: Callable[["Caller"], bool]) -> None:
        """Wait until what was sent fulfils `condition`."""
        async with asyncio.timeout(10):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    def lines(self) -> list[bytes]:
        """The header lines that were sent."""
        assert self.head is not None
        assert self.head.endswith(b"\r\n")
        return self.head.removesuffix(b"\r\n").split(b"\r\n")

    async def _told(self, coroutine: Coroutine[Signal, None, Any]) -> None:
        self._result.set_result(await coroutine)

    def failed(self, error: BaseException) -> None:
        self._result.set_exception(error)

    # --- for the stages

    async def drain(self) -> None:
        while self.write_paused:
            await self._writable

    def end_within(self, seconds: float) -> None:
        self._bound("end", seconds, "come to an end")

    def expect_within(self, seconds: float, what: str, total: float | None = None) -> None:
        if total is not None:
            self.end_within(total)
        self._bound("next", seconds, what)

    def _bound(self, name: str, seconds: float, what: str) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        error = LateError(what, final=name == "end")
        self._timers[name] = self._loop.call_later(seconds, self.interrupt, error)

    def keep_waiting(self, why: str, head: bytes) -> None:
        self.told_to_wait.append(why)

    def send_whole(self, status: int, head: bytes, body: bytes) -> None:
        self._begin(status, head, len(body))
        self.body = body
        self._ended("whole")

    def send_head(self, status: int, head: bytes, length: int | None) -> None:
        self._begin(status, head, length)

    def send(self, data: bytes) -> None:
        assert self.head_sent
        assert not self.end
        self.body += data
        self._changed.set()

    def finish(self) -> None:
        self._ended("finished")

    def finish_and_close(self) -> None:
        self._ended("closed")

    def cut(self) -> None:
        self._ended("cut")

    def _begin(self, status: int, head: bytes, length: int | None) -> None:
        assert not self.head_sent
        self.head_sent = True
        self.status, self.head, self.length = status, head, length
        self._changed.set()

    def _ended(self, how: str) -> None:
        assert not self.end
        self.end = how
        self._changed.set()
