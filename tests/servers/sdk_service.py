"""A service folder served by the SDK as a process of its own, which can be killed and started again."""

import os
import subprocess
import sys
from pathlib import Path

from tests.servers.killable import Killable
from tests.servers.raw import fetch, wait_until


class SdkService(Killable):
    """Its log goes into `state`."""

    def __init__(self, folder: Path, state: Path, **environment: str) -> None:
        super().__init__()
        self._folder = folder
        self._log = state / f"{folder.name}.log"
        self._environment = environment

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", "nexus.sdk.serve", str(self._folder), "--port", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **self._environment}, stdout=log, stderr=log)
        wait_until(self._is_ready, 30)

    def wait_dead(self) -> None:
        """Wait until it has died by itself."""
        assert self.process is not None
        self.process.wait(20)

    def _is_ready(self) -> bool:
        try:
            return fetch(self.port, "/readyz").status == 200
        except OSError:
            return False
