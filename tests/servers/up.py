"""`nexus up` as a child process: what it says, the processes that it has started, and its end."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

T = TypeVar("T")


class Up:
    """One `nexus up` in a folder, what it says, and the processes that it has started."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nexus.cli", "up"],
            cwd=folder,
            env={**kept, "NEXUS_PORT": "0", "NEXUS_DISCOVERY_INTERVAL": "0.2", "NEXUS_HEALTH_INTERVAL": "0.2"}
            | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip())

    def says(self, pattern: str, seconds: float = 60) -> str:
        """Wait for a line that matches."""

        def line() -> str | None:
            return next((line for line in list(self.lines) if re.search(pattern, line)), None)

        return self.until(line, f"no line {pattern!r}", seconds)

    def until(self, condition: Callable[[], T | None], what: str, seconds: float = 30) -> T:
        """Wait for a condition to hold."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what}; it said:\n" + "\n".join(self.lines)
            time.sleep(0.02)  # the poll of a condition that lives in other processes
        return value

    @property
    def url(self) -> str:
        return self.says("Nexus is at").split()[-1]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def greet(self, name: str) -> httpx.Response:
        token = (self.folder / ".nexus" / "api_key").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        try:
            return httpx.post(f"{self.url}/v1/{name}/greet", json={"name": "you"}, headers=headers)
        except httpx.TransportError as error:
            raise AssertionError("\n".join([f"the gateway does not answer: {error}", *self.lines])) from error

    def answers(self, name: str) -> dict[str, Any]:
        """Wait until a service answers through the gateway."""

        def answer() -> dict[str, Any] | None:
            response = self.greet(name)
            return response.json() if response.status_code == 200 else None

        return self.until(answer, f"{name} never answered")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(30)
        self._reader.join(10)
        return status

    def kill(self) -> None:
        """Leave nothing of it, in whatever state it is."""
        if self.process.poll() is None:
            family = self.children()
            self.process.kill()
            self.process.wait()
            for process in family:
                if process.is_running():
                    process.kill()
        if self.process.stdout:
            self._reader.join(10)
            self.process.stdout.close()
