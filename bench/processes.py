"""Child processes of a run: started on a core, watched, and every one ended by its own pid whatever happens."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.machine import pinned

_GRACE_SECONDS = 5.0


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Child:
    """One started program with its descendants; its output goes to `log`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def rss_bytes(self) -> int:
        """Resident memory of the program and its descendants, in bytes; shared pages count for each of them."""
        return int(sum(_measure(process, lambda one: one.memory_info().rss) for process in self._family()))

    def cpu_seconds(self) -> float:
        """Processor time used so far by the program and its descendants."""
        return sum(
            _measure(process, lambda one: one.cpu_times().user + one.cpu_times().system) for process in self._family()
        )

    def end(self) -> None:
        """SIGTERM to the program and its descendants, SIGKILL to what is left after the grace."""
        family = self._family()
        for process in family:
            _send(process, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=_GRACE_SECONDS)
        for process in alive:
            _send(process, signal.SIGKILL)
        self._process.wait()

    def _family(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _measure(process: psutil.Process, read: Callable[[psutil.Process], float]) -> float:
    try:
        return read(process)
    except psutil.NoSuchProcess:
        return 0


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


class Children:
    """Context manager that owns everything the run starts; leaving it ends them all, newest first."""

    def __init__(self) -> None:
        self._started: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._started:
            self._started.pop().end()

    def start(self, name: str, argv: Sequence[str], *, core: int | None, env: Mapping[str, str], folder: Path) -> Child:
        """Start `argv` in `folder` on `core`; in a session of its own, so that Ctrl-C reaches it only through `end`."""
        log = folder / f"{name}.log"
        with pinned(core), log.open("ab") as output:
            process = subprocess.Popen(
                list(argv),
                env={**os.environ, **env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._started.append(child)
        return child

    def end(self, child: Child) -> None:
        """End one child before the rest."""
        self._started.remove(child)
        child.end()
