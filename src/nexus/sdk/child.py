"""An engine's process of the service's own: started, kept alive, heard, and ended with the service, come what may."""

import asyncio
import logging
import os
import re
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.process import leash
from nexus.process.backoff import Backoff
from nexus.process.child import ChildProcess, Lines, describe_exit

GRACE_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.1
_ASK_SECONDS: Final = 5.0
_LAST_LINES: Final = 5
_LONGEST: Final = 2000
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")
_log: Final = logging.getLogger(__name__)


class EngineProcess:
    """One process and all that it starts, in a group of its own.

    `ready` is asked whether it can be worked with, ten times a second from its start on. Once it was ready it is
    started again whenever it ends by itself, after a pause of half a second that doubles to half a minute. What it
    says goes to the service's log, a line a record, under `name`. When the service is gone, be it killed, so is the
    whole group: another process holds it on a leash.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        ready: Callable[[], Awaitable[bool]],
        name: str,
    ) -> None:
        self._argv = tuple(argv)
        self._env = env
        self._cwd = cwd
        self._ready = ready
        self._name = name
        self._child: ChildProcess | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        self.reason = ""

    @property
    def running(self) -> bool:
        """Whether the process lives. `reason` says how it ended and its last lines, empty where it has not ended."""
        return self._child is not None

    async def start(self) -> None:
        """Start the process, and return when it is ready; at once where it was started before and is.

        Raises ApiError (503, with the reason) where it cannot be started or ends before it was ready; it is not tried
        again then. Who leaves while it starts leaves it stopped.
        """
        if self._keeping is None:
            self._up.clear()
            self._keeping = asyncio.create_task(self._keep())
        keeping, up = self._keeping, asyncio.create_task(self._up.wait())
        try:
            await asyncio.wait({keeping, up}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.stop()
            raise
        finally:
            up.cancel()
        if keeping.done():
            if self._keeping is keeping:
                self._keeping = None
            reason = self.reason or "it was stopped"
            raise ApiError(NO_READY_SERVICE, f"{self._name} cannot be started: {reason}", retry_after=2)

    async def stop(self) -> None:
        """End the process and its whole group: asked by SIGTERM, killed after GRACE_SECONDS. May be called again."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            started = time.monotonic()
            self.reason = ""
            try:
                self.reason = await self._run()
            except OSError as error:
                self.reason = f"{error.filename or self._argv[0]}: {error.strerror}"
            _log.error("the engine's process has ended", extra={"engine": self._name, "reason": self.reason})
            if not self._up.is_set():
                return
            backoff, pause = backoff.after_exit(started, time.monotonic())
            await asyncio.sleep(pause)

    async def _run(self) -> str:
        """Run the process to its end; how it ended."""
        lifeline, held = os.pipe()
        self._said.clear()
        lines = Lines()
        try:
            child = await ChildProcess.start(
                [sys.executable, "-I", leash.__file__, str(lifeline), *self._argv],
                env=self._env,
                cwd=self._cwd,
                lifeline=lifeline,
                on_output=lambda data: self._hear(lines.feed(data)),
            )
        except BaseException:
            os.close(held)
            raise
        finally:
            os.close(lifeline)
        self._child = child
        _log.info("the engine's process has started", extra={"engine": self._name, "pid": child.pid})
        asking = asyncio.create_task(self._ask())
        try:
            status = await child.wait()
        except asyncio.CancelledError:
            await child.stop(GRACE_SECONDS, asyncio.Event())
            raise
        finally:
            asking.cancel()
            self._child = None
            os.close(held)
        self._hear(lines.close())
        how = describe_exit(128 - status if 128 < status <= 192 else status)  # so the leash tells of a signal
        return ": ".join([how, *([" | ".join(self._said)] if self._said else [])])[:_LONGEST]

    async def _ask(self) -> None:
        started = time.monotonic()
        while not await self._is_ready():  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(_POLL_SECONDS)
        self._up.set()
        seconds = round(time.monotonic() - started, 3)
        _log.info("the engine's process is ready", extra={"engine": self._name, "seconds": seconds})

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return await self._ready()
        except (ApiError, OSError):  # a TimeoutError is an OSError
            return False

    def _hear(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            text = _CONTROL.sub("", line.decode("utf-8", "replace")).strip()[:_LONGEST]
            if text:
                self._said.append(text)
                _log.info(text, extra={"engine": self._name})
