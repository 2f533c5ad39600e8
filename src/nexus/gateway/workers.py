"""NEXUS_WORKERS: several processes on one listening socket, kept alive by this one, which serves nothing itself.

The kernel gives each connection to one of them. A worker that dies is started again, and loses the others nothing; one
that says that it cannot be set up so (status 2) ends them all. Each is `nexus gateway` with one worker, told by
NEXUS_LISTENER_FD what to serve on and by NEXUS_WORKER which one it is (`gateway.siblings`).
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from typing import Final

from nexus.gateway.log import Log
from nexus.gateway.record.lines import LineWriter
from nexus.gateway.settings import Settings
from nexus.process import lifeline
from nexus.process.backoff import Backoff
from nexus.process.child import ChildProcess, Lines, describe_exit

COMMAND: Final = (sys.executable, "-m", "nexus.cli", "gateway")
_UNUSABLE: Final = 2
_AFTER_DRAIN: Final = 5.0
"""Seconds that a worker has to close what is left, once its drain is over."""


class Workers:
    """All of them. `run` ends with the exit status, after a signal or what ends them all."""

    def __init__(self, settings: Settings, listener: socket.socket, lines: LineWriter, log: Log) -> None:
        self._settings = settings
        self._listener = listener
        self._lines = lines
        self._log = log
        self._family = secrets.token_hex(2)
        self._ending = asyncio.Event()
        self._hurry = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, self._asked_to_end)
        if self._settings.lifeline_fd is not None:
            lifeline.watch(self._settings.lifeline_fd, self._ending.set)
        self._log("info", "workers_started", workers=self._settings.workers, instance=f"gateway-{self._family}")
        if self._settings.redis_url is None:
            self._log("warning", "limits_not_shared", reason="NEXUS_REDIS_URL is not set", meanwhile="local")
        with lifeline.held() as line:
            async with asyncio.TaskGroup() as group:
                for number in range(1, self._settings.workers + 1):
                    group.create_task(self._keep_alive(number, line))
        self._log("info", "workers_stopped", status=self._status)
        return self._status

    def _asked_to_end(self) -> None:
        if self._ending.is_set():
            self._hurry.set()
        self._ending.set()

    async def _keep_alive(self, number: int, line: int) -> None:
        backoff = Backoff()
        while not self._ending.is_set():
            started = time.monotonic()
            status = await self._one_life(number, line)
            if self._ending.is_set():
                return
            if status == _UNUSABLE:
                self._status = status
                self._ending.set()
                return
            backoff, delay = backoff.after_exit(started, time.monotonic())
            self._log("error", "worker_ended", worker=number, reason=describe_exit(status), again_in_seconds=delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), delay)

    async def _one_life(self, number: int, line: int) -> int:
        """From the start of one process to its end, by itself or because all end; its exit status."""
        output = Lines()

        def tell(data: bytes) -> None:
            for one in output.feed(data):
                self._tell(one)

        fds = (self._listener.fileno(),)
        env = self._environment(number, line)
        child = await ChildProcess.start(COMMAND, env=env, cwd=None, lifeline=line, on_output=tell, more_fds=fds)
        ended = asyncio.create_task(child.wait())
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait((ended, ending), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                settings = self._settings
                grace = settings.drain_notice + settings.drain_seconds + _AFTER_DRAIN
                await child.stop(grace, self._hurry)
            return await ended
        finally:
            ending.cancel()
            for rest in output.close():
                self._tell(rest)

    def _tell(self, line: bytes) -> None:
        """A worker's line: its log's go on as they are, whatever else it says is said on stderr."""
        if line.startswith(b"{"):
            self._lines.write(line)
        else:
            sys.stderr.buffer.write(line + b"\n")
            sys.stderr.buffer.flush()

    def _environment(self, number: int, line: int) -> dict[str, str]:
        own = {
            "NEXUS_WORKERS": "1",
            "NEXUS_WORKER": f"{self._family}.{number}.{self._settings.workers}",
            "NEXUS_LISTENER_FD": str(self._listener.fileno()),
            "NEXUS_LIFELINE_FD": str(line),
        }
        return {**os.environ, **own}


def keep_workers(settings: Settings, listener: socket.socket, lines: LineWriter, log: Log) -> int:
    """Keep the workers of these settings until they are to end; the exit status."""
    lines.start()
    try:
        return asyncio.run(Workers(settings, listener, lines, log).run())
    finally:
        lines.close()
