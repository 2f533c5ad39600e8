"""A server as a process of its own, which can be killed and started again."""

import subprocess
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from tests.servers.gateway import free_port


class Killable(ABC):
    """Use as a context manager; its port stays the same over `kill` and `start`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @abstractmethod
    def start(self) -> None:
        """Start it as `process`."""

    def kill(self) -> None:
        """SIGKILL, whether it runs, is paused or has gone: it has no time to say anything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None
