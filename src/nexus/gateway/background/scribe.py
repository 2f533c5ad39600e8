"""The client of a job's story: it writes the answer down instead of sending it. See `gateway.values.Client`."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from nexus.contract.errors import INTERNAL_ERROR, UPSTREAM_ERROR, ApiError
from nexus.gateway.drive import Drive, Signal
from nexus.gateway.values import LateError

LARGEST: Final = 256 * 1024 * 1024  # bytes of an answer; a longer one is given up


class Scribe(Drive):
    """Drives one story and holds what it answers. `ended` is set once nothing more will come.

    `failure` says why the answer will never be whole; an answer of the envelope is no failure.
    """

    write_paused = False
    head_sent = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.head = b""
        self.failure: ApiError | None = None
        self.ended = asyncio.Event()
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0
        self._is_whole = False
        self._late: ApiError | None = None  # what did not happen in time since the answer began
        self._timer: asyncio.TimerHandle | None = None
        self._last: asyncio.TimerHandle | None = None

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return b"".join(self._parts)

    def line(self, name: str) -> str:
        """The value of a header line of the answer; empty where there is none."""
        wanted = name.encode() + b":"
        for line in self.head.split(b"\r\n"):
            if line[: len(wanted)].lower() == wanted:
                return line[len(wanted) :].strip().decode("latin-1")
        return ""

    def tell(self, story: Coroutine[Signal, None, None]) -> None:
        """Begin the story; it ends by itself, or by `interrupt`."""
        self.drive(self._whole(story))

    async def _whole(self, story: Coroutine[Signal, None, None]) -> None:
        try:
            await story
        finally:
            self._end()

    def failed(self, error: BaseException) -> None:
        if self.failure is None and not self._is_whole:
            self.failure = ApiError(INTERNAL_ERROR, f"The gateway failed on this job: {type(error).__name__}.")

    # --- the caller, as the stages see it

    async def drain(self) -> None:
        """There is always room."""

    def end_within(self, seconds: float) -> None:
        self._last = self._renewed(self._last, seconds, "come to an end", True)

    def expect_within(self, seconds: float, what: str, total: float | None = None) -> None:
        if total is not None:
            self.end_within(total)  # first: where both end at once it is the last one
        self._timer = self._renewed(self._timer, seconds, what, False)

    def keep_waiting(self, why: str, head: bytes) -> None:
        """Nobody is waiting at the other end of a connection."""

    def send_whole(self, status: int, head: bytes, body: bytes) -> None:
        self.status, self.head, self.head_sent = status, head, True
        self.send(body)
        self._is_whole = True

    def send_head(self, status: int, head: bytes, length: int | None) -> None:
        self.status, self.head, self.head_sent = status, head, True
        self._late = None

    def send(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > LARGEST:
            self._parts.clear()
            self._size = 0  # what is told of that has room again
            raise ApiError(UPSTREAM_ERROR, f"The answer is larger than {LARGEST} bytes.")
        self._parts.append(data)

    def finish(self) -> None:
        self._is_whole = True

    def finish_and_close(self) -> None:
        self.cut()

    def cut(self) -> None:
        self.failure = self._late or ApiError(UPSTREAM_ERROR, "The answer broke off.")

    # --- bounds

    def _renewed(
        self, timer: asyncio.TimerHandle | None, seconds: float, what: str, final: bool
    ) -> asyncio.TimerHandle:
        if timer is not None:
            timer.cancel()
        return self._loop.call_later(seconds, self._expire, what, final)

    def _expire(self, what: str, final: bool) -> None:
        self._late = LateError(what, final=final)
        self.interrupt(self._late)

    def _end(self) -> None:
        for timer in (self._timer, self._last):
            if timer is not None:
                timer.cancel()
        self.ended.set()


def envelope_of(scribe: Scribe) -> dict[str, Any]:
    """The `error` object of an answer that is none of success, or of a failure."""
    if scribe.failure is not None:
        return dict(scribe.failure.envelope()["error"])
    return error_in(scribe.body, scribe.status)


def error_in(body: bytes, status: int) -> dict[str, Any]:
    """The `error` object in a body; the story tells every error in the envelope."""
    try:
        return dict(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return dict(ApiError(UPSTREAM_ERROR, f"the answer was {status}").envelope()["error"])
