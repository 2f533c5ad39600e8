"""Misbehaving servers as processes of their own, which can be killed, and live in another network if need be."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.gateway import free_port

_ROOT = Path(__file__).parents[2]


class ServerProcess:
    """Use as a context manager; its address stays the same over `kill` and `start`. `prefix` starts it elsewhere."""

    def __init__(
        self, name: str, *options: str, host: str = "127.0.0.1", port: int = 0, prefix: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.host = host
        self.port = port or free_port()
        self._command = [*prefix, sys.executable, "-m", "tests.chaos.fault_server", "--name", name, "--host", host]
        self._command += ["--port", str(self.port), *options]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; whoever needs it ready asks the gateway when it is."""
        self.process = subprocess.Popen(self._command, cwd=_ROOT, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        """SIGKILL: it has no time to say anything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def leave(self) -> None:
        """SIGTERM, and wait until it has gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self.process = None
