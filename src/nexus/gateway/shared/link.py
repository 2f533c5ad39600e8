"""One connection to Redis that many ask over at once: questions go out as they come, replies come in their order.

Laws: whoever asks is told exactly once, at most `ANSWER_SECONDS` later; a link that is late, or is told an error, is
closed, and all who wait are told None. The lane awaits an `Asked`, which costs it no task and no future.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol

from nexus.gateway.drive import Signal
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.resp import Replies, Reply, command
from nexus.gateway.shared.scripts import Script

ANSWER_SECONDS: Final = 0.24
_PING: Final = command("PING")
_GRACE_SECONDS: Final = 0.01
"""A loop that was busy finds the timer and the reply due at once: the reply is then to be read first."""


class Asks(Protocol):
    """Wants to know what Redis says."""

    def come(self, reply: Reply) -> None:
        """It says this; None: it will not."""


class Asked(Signal):
    """Asked from the lane, which may await it."""

    reply: Reply = None

    def come(self, reply: Reply) -> None:
        self.reply = reply
        self.set()


class AskedOutside:
    """Asked from a task of the event loop, which may await it."""

    def __init__(self) -> None:
        self.reply: Reply = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def come(self, reply: Reply) -> None:
        self.reply = reply
        if not self._done.done():  # it may have been cancelled
            self._done.set_result(None)

    def __await__(self) -> Generator[Any, None, None]:
        return self._done.__await__()


class AskedInVain:
    """Asked by somebody who goes on whatever is said."""

    __slots__ = ()

    def come(self, reply: Reply) -> None:
        pass


_NOBODY: Final = AskedInVain()


class _Question:
    __slots__ = ("asks", "due", "keys", "script", "words")

    def __init__(
        self, asks: Asks, due: float, script: Script | None, keys: bytes, words: tuple[bytes | int, ...]
    ) -> None:
        self.asks = asks
        self.due = due
        self.script = script
        self.keys = keys
        self.words = words


class Link(asyncio.Protocol):
    """`lost` is told once, when the link is of no use any more; `reason` says why."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: Callable[["Link"], object]) -> None:
        self.reason = ""
        self._loop = loop
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        self._questions: deque[_Question] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: _Question | None = None

    @property
    def closed(self) -> bool:
        """Whether it is of no use any more."""
        return self.reason != ""

    def run(self, script: Script, keys: bytes, words: tuple[bytes | int, ...], asks: Asks) -> None:
        """Run a script; one that Redis does not know is sent to it."""
        self._ask(script.by_name(keys, *words), script, keys, words, asks)

    def say(self, command: bytes, asks: Asks) -> None:
        """Another command."""
        self._ask(command, None, b"", (), asks)

    def ping(self) -> None:
        """Ask whether it is there."""
        self.say(_PING, _NOBODY)

    def close(self, reason: str) -> None:
        """End it; who waits is told None."""
        if self.reason:
            return
        self.reason = reason or "it was closed"
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        questions, self._questions = self._questions, deque()
        self._lost(self)
        for question in questions:
            question.asks.come(None)

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's

    def data_received(self, data: bytes) -> None:
        try:
            for reply in self._replies.take(data):
                if self.reason:
                    return
                if not self._questions:
                    self.close("it said something that nobody had asked for")
                    return
                self._tell(self._questions.popleft(), reply)
        except RedisError as error:
            self.close(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        self.close(str(error) if error is not None else "it closed the connection")

    # --- questions

    def _ask(
        self, command: bytes, script: Script | None, keys: bytes, words: tuple[bytes | int, ...], asks: Asks
    ) -> None:
        if self._transport is None or self.reason:
            asks.come(None)
            return
        self._questions.append(_Question(asks, self._loop.time() + ANSWER_SECONDS, script, keys, words))
        self._transport.write(command)
        if self._timer is None:
            self._timer = self._loop.call_later(ANSWER_SECONDS, self._look)

    def _tell(self, question: _Question, reply: Reply) -> None:
        if not isinstance(reply, RedisError):
            question.asks.come(reply)
        elif reply.code == "NOSCRIPT" and question.script is not None:
            words = question.words
            self._ask(question.script.by_text(question.keys, *words), None, b"", (), question.asks)
        else:
            self._questions.appendleft(question)
            self.close(str(reply))

    def _look(self) -> None:
        """The oldest question should have been answered by now."""
        self._timer = None
        if not self._questions:
            return
        late = self._loop.time() - self._questions[0].due
        if late >= _GRACE_SECONDS and self._overdue is self._questions[0]:
            self.close("it does not answer in time")
            return
        self._overdue = self._questions[0] if late >= 0 else None
        self._timer = self._loop.call_later(max(-late, _GRACE_SECONDS), self._look)
