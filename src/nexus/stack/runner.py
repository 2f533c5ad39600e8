"""One program of the stack, kept alive: prepared, started, watched until ready, started again when it ends."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nexus.process.backoff import Backoff
from nexus.process.child import ChildProcess, describe_exit
from nexus.stack.probe import Answer, Endpoint, ask
from nexus.stack.progress import Phase

_POLL_SECONDS: Final = 0.1
_SLOW_POLL_SECONDS: Final = 1.0
_FAILURES_UNTIL_FAILED: Final = 3
_KILL_AFTER_DRAIN_SECONDS: Final = 2.0

Report = Callable[[Phase, str], None]
Prepare = Callable[[], Awaitable["Launch"]]


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a program, and where to ask whether it is ready."""

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    endpoint: Endpoint
    ready_path: str


class LaunchError(RuntimeError):
    """A program cannot be started now; the message says why, in its last line most clearly."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all programs of one stack share: the lifeline's read end, and how they are stopped."""

    lifeline: int
    drain_seconds: float
    hurry: asyncio.Event


class Runner:
    """Keeps one program alive until `stop`. `prepare` is awaited before each start and raises LaunchError."""

    def __init__(
        self,
        prepare: Prepare,
        report: Report,
        on_output: Callable[[bytes], None],
        last_words: Callable[[], str],
        surroundings: Surroundings,
    ) -> None:
        self._prepare = prepare
        self._report = report
        self._on_output = on_output
        self._last_words = last_words
        self._surroundings = surroundings
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """End the program: it is asked first, and killed when it has not ended in time. May be called again."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            self._report(Phase.STOPPED, "")

    async def _keep_alive(self) -> None:
        backoff = Backoff()
        while True:
            started = time.monotonic()
            reason = await self._one_life()
            backoff, delay = backoff.after_exit(started, time.monotonic())
            failed = backoff.failures >= _FAILURES_UNTIL_FAILED
            self._report(Phase.FAILED if failed else Phase.RESTARTING, f"{reason}; again in {delay:g} s")
            await asyncio.sleep(delay)

    async def _one_life(self) -> str:
        """From preparation to the end of the process; says why it ended."""
        try:
            launch = await self._prepare()
            self._report(Phase.STARTING, "")
            child = await self._spawn(launch)
        except LaunchError as error:
            return str(error)
        watch = asyncio.create_task(self._watch(launch))
        try:
            how = describe_exit(await child.wait())
            return f"{how}: {words}" if (words := self._last_words()) else how
        except asyncio.CancelledError:
            watch.cancel()
            grace = self._surroundings.drain_seconds + _KILL_AFTER_DRAIN_SECONDS
            await child.stop(grace, self._surroundings.hurry)
            raise
        finally:
            watch.cancel()

    async def _spawn(self, launch: Launch) -> ChildProcess:
        try:
            return await ChildProcess.start(
                launch.command,
                env={**launch.env, "NEXUS_LIFELINE_FD": str(self._surroundings.lifeline)},
                cwd=launch.cwd,
                lifeline=self._surroundings.lifeline,
                on_output=self._on_output,
            )
        except OSError as error:
            raise LaunchError(f"cannot start {launch.command[0]}: {error.strerror or error}") from error

    async def _watch(self, launch: Launch) -> None:
        """Report the phases from the first answer on until the program is ready."""
        before: tuple[Phase, str] | None = None
        while before is None or before[0] is not Phase.READY:
            await asyncio.sleep(_SLOW_POLL_SECONDS if before and before[0] is Phase.FAILED else _POLL_SECONDS)
            answer = await ask(launch.endpoint, launch.ready_path)
            now = phase_of(answer) if answer else before
            if now and now != before:
                self._report(*now)
                before = now


def phase_of(answer: Answer) -> tuple[Phase, str]:
    """The phase that an answer of `/readyz` stands for, and its reason."""
    if answer.status == 200:
        return Phase.READY, ""
    if answer.state == "failed":
        return Phase.FAILED, answer.reason
    return Phase.LOADING, answer.reason
