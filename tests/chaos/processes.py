"""Misbehaving servers as processes of their own, which can be killed, and live in another network if need be."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.killable import Killable

_ROOT = Path(__file__).parents[2]


class ServerProcess(Killable):
    """One whose address stays the same. `prefix` starts it elsewhere."""

    def __init__(
        self, name: str, *options: str, host: str = "127.0.0.1", port: int = 0, prefix: Sequence[str] = ()
    ) -> None:
        super().__init__(port)
        self.name = name
        self.host = host
        self._command = [*prefix, sys.executable, "-m", "tests.chaos.fault_server", "--name", name, "--host", host]
        self._command += ["--port", str(self.port), *options]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it; whoever needs it ready asks the gateway when it is."""
        self.process = subprocess.Popen(self._command, cwd=_ROOT, stdin=subprocess.DEVNULL)

    def leave(self) -> None:
        """SIGTERM, and wait until it has gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self.process = None
