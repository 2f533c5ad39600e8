"""A service folder served by the SDK as a process of its own, which can be killed and started again."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.gateway import free_port
from tests.servers.raw import fetch, wait_until


class SdkService:
    """Use as a context manager; its port stays the same over `kill` and `start`. Its log goes into `state`."""

    def __init__(self, folder: Path, state: Path, **environment: str) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self._log = state / f"{folder.name}.log"
        self._environment = environment

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", "nexus.sdk.serve", str(self._folder), "--port", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **self._environment}, stdout=log, stderr=log)
        wait_until(self._is_ready, 30)

    def kill(self) -> None:
        """SIGKILL: it has no time to say anything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def wait_dead(self) -> None:
        """Wait until it has died by itself."""
        assert self.process is not None
        self.process.wait(20)

    def _is_ready(self) -> bool:
        try:
            return fetch(self.port, "/readyz").status == 200
        except OSError:
            return False
