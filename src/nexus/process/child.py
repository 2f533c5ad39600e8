"""One child process with all that it starts: a group of its own, its output read and its end made certain."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

_LONGEST_LINE: Final = 64 * 1024
_LAST_WORDS_SECONDS: Final = 1.0


class Lines:
    """Bytes in, whole lines out. A line longer than 64 KiB is cut there."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends and without empty ones."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [line for line in lines if line.strip()]

    def close(self) -> list[bytes]:
        """What came after the last line's end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest.strip() else []


class ChildProcess:
    """A started child. Make one with `start`; await `wait` or `stop` on it, whatever happens."""

    def __init__(self, process: asyncio.subprocess.Process, output: asyncio.ReadTransport, pump: "_Pump") -> None:
        self._process = process
        self._output = output
        self._pump = pump
        self.pid = process.pid

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        lifeline: int,
        on_output: Callable[[bytes], None],
        more_fds: Sequence[int] = (),
    ) -> Self:
        """Start a command as the leader of a new session; it inherits `lifeline` and `more_fds`, and nothing else.

        `on_output` gets standard output and error together, in the pieces in which they come. Raises OSError.
        """
        # The pipe is our own: asyncio's is waited for together with the process, and may be held by a grandchild.
        read_end, write_end = os.pipe()
        pipe = os.fdopen(read_end, "rb", buffering=0)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(env),
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=[lifeline, *more_fds],
                start_new_session=True,
            )
        except BaseException:  # cancelled or not: there is no child to read from
            pipe.close()
            raise
        finally:
            os.close(write_end)
        output, pump = await asyncio.get_running_loop().connect_read_pipe(lambda: _Pump(on_output), pipe)
        return cls(process, output, pump)

    async def wait(self) -> int:
        """The exit status once the child has ended (negative: the signal); what it left running is killed."""
        status = await self._process.wait()
        self._signal(signal.SIGKILL)
        # A process that moved out of the group may still hold the pipe: its output is not waited for.
        await asyncio.wait([self._pump.ended], timeout=_LAST_WORDS_SECONDS)
        self._output.close()
        return status

    async def stop(self, grace: float, hurry: asyncio.Event) -> int:
        """Ask the group to end, and kill it after `grace` seconds or as soon as `hurry` is set."""
        self._signal(signal.SIGTERM)
        ended = asyncio.ensure_future(self._process.wait())
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([ended, hurried], timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        self._signal(signal.SIGKILL)
        return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        # macOS answers EPERM for a group of which only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class _Pump(asyncio.Protocol):
    """Hands on what comes out of a pipe; `ended` is done when nobody holds its other end any more."""

    def __init__(self, on_output: Callable[[bytes], None]) -> None:
        self._on_output = on_output
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._on_output(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def describe_exit(status: int) -> str:
    """How a process ended, in words: "exited with status 1", "was killed by SIGSEGV"."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
