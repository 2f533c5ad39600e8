"""A real Redis of its own, where Debian's package is installed."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.servers.gateway import free_port
from tests.servers.killable import Killable
from tests.servers.raw import wait_until

PASSWORD = "p@ss/word"
PROGRAM = "redis-server"


def why_not() -> str:
    """Why no server can be started here; empty where one can."""
    if shutil.which(PROGRAM) is None:
        return "Redis is not installed (Debian: apt install redis-server)"
    return ""


class Redis(Killable):
    """It keeps nothing on disk: killed and started again, it is empty."""

    def __init__(self, *options: str, database: int = 1) -> None:
        super().__init__()
        self._database = database
        self._options = options

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{self.port}/{self._database}"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="nexus-redis-"))
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        own = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD)
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, *own, "--dir", str(self._folder), *self._options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as asked:
                asked.sendall(b"PING\r\n")
                if asked.recv(100):
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
                break
        raise AssertionError((self._folder / "log").read_text())

    def pause(self) -> None:
        """It is there, and says nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def proceed(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def client(self) -> "redis.Redis":
        """To look into it; close it."""
        return redis.Redis(port=self.port, password=PASSWORD, db=self._database)


@contextmanager
def redis_cluster(size: int = 3) -> Iterator[Sequence[Redis]]:
    """Servers that share out all slots among them."""
    with ExitStack() as opened:
        servers = []
        for _ in range(size):
            bus = free_port()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000")
            servers.append((opened.enter_context(Redis(*options, database=0)), bus))
        clients = [opened.enter_context(server.client()) for server, _ in servers]
        edges = [16_384 * number // size for number in range(size + 1)]
        for client, (first, end) in zip(clients, pairwise(edges), strict=True):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            for server, bus in servers:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", server.port, bus)
        for client in clients:
            wait_until(lambda client=client: _is_whole(client, size), 20)
        yield [server for server, _ in servers]


def _is_whole(client: "redis.Redis", size: int) -> bool:
    told = client.execute_command("CLUSTER", "INFO")
    return b"cluster_state:ok" in told and b"cluster_known_nodes:%d\r" % size in told
