"""Running uv: where it is, with which environment, and what it said when it failed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from nexus.process import leash
from nexus.stack import pip_settings

_TAIL: Final = 8
_STOPPED: Final = "the installation was stopped"

Progress = Callable[[str], None]


class UvError(RuntimeError):
    """uv failed or was stopped; the message holds the last lines that it said."""


class Uv:
    """uv as a command. Several threads may run it at once; `stop` ends what runs and refuses the rest.

    What it runs ends with this process, however that ends: a build may otherwise go on for half an hour.
    """

    def __init__(self) -> None:
        self._binary = find_uv_bin()
        # An activated environment must not draw the installation to itself.
        kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        self._environ = kept | pip_settings.for_uv(kept, Path(sys.prefix))
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._lifeline, write_end = os.pipe()
        # The read end is handed to each leash; the write end is nobody's but ours, and closes with this process.
        weakref.finalize(self, _close, self._lifeline, write_end)

    def run(self, arguments: Sequence[str], cwd: Path, on_progress: Progress) -> None:
        """Run uv to its end, telling each line it says. Raises UvError."""
        with self._lock:
            if self._stopped.is_set():
                raise UvError(_STOPPED)
            process = subprocess.Popen(
                [sys.executable, "-I", leash.__file__, str(self._lifeline), self._binary, *arguments],
                cwd=cwd,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=[self._lifeline],
                start_new_session=True,
            )
            self._running.add(process)
        try:
            tail = _follow(process, on_progress)
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode:
            raise UvError("\n".join(tail) or f"uv ended with status {process.returncode}")

    def wait(self, seconds: float) -> None:
        """Let time pass before a next try. Raises UvError once `stop` was called."""
        if self._stopped.wait(seconds):
            raise UvError(_STOPPED)

    def stop(self) -> None:
        """End every uv that runs, and let no other start."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _follow(process: subprocess.Popen[str], on_progress: Progress) -> deque[str]:
    tail: deque[str] = deque(maxlen=_TAIL)
    with process:
        for line in process.stdout or ():
            if text := line.strip():
                tail.append(text)
                on_progress(text)
    return tail


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
