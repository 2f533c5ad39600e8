"""The real gateway as a child process, and what a test can see of it from outside."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.servers.raw import Answer, fetch, wait_until

TOKEN = "sk-test-0123456789abcdef0123456789abcdef"
INTERVAL = 0.2
PORTS = (10_240, 32_768)

# The gateway's own environment; another one when these tests run beside a different client library.
PYTHON = os.environ.get("NEXUS_TEST_PYTHON", sys.executable)


def free_port() -> int:
    """A loopback port that nobody listens on right now.

    It is below those that systems give out by themselves, or what is started next could be given it in between.
    """
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Gateway:
    """Use as a context manager. Its folder is its working directory; stdout and stderr go to files there."""

    def __init__(
        self,
        folder: Path,
        services: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self.stdout = folder / "stdout.log"
        self.stderr = folder / "stderr.log"
        self._services = ",".join(services)
        self._env = dict(env or {})
        self._pass_fds = pass_fds

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        own = {
            "NEXUS_HOST": "127.0.0.1",
            "NEXUS_PORT": str(self.port),
            "NEXUS_SERVICES": self._services,
            "NEXUS_API_KEY": TOKEN,
            "NEXUS_DISCOVERY_INTERVAL": str(INTERVAL),
            "NEXUS_HEALTH_INTERVAL": str(INTERVAL),
        }
        with self.stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "nexus.cli", "gateway"],
                env={**outside, **own, **self._env},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=self._pass_fds,
            )
        self.wait_until_alive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        crashed = self.process.poll()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if kind is None:
            told = self.stderr.read_text(errors="replace")
            assert crashed is None, f"the gateway ended by itself with {crashed}: {told[-2000:]}"
            assert "Traceback" not in told, told[-4000:]
            failures = [line for line in self.stdout.read_text(errors="replace").splitlines() if "Traceback" in line]
            assert not failures, failures[0][:4000]

    def wait_until_alive(self, within: float = 20.0) -> None:
        """Until /health answers."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if fetch(self.port, "/health").status == 200:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
                break
        raise AssertionError(f"no answer from /health: {self.stderr.read_text()}{self.stdout.read_text()}")

    def get(self, path: str, **options: Any) -> Answer:
        return fetch(self.port, path, **{"token": TOKEN, **options})

    def post(self, path: str, body: Any, **options: Any) -> Answer:
        return fetch(self.port, path, body, **{"token": TOKEN, **options})

    def chat(self, script: Mapping[str, Any] | None = None, *, model: str = "scripted", **fields: Any) -> Answer:
        """One chat request that tells the scripted upstream what to do."""
        return self.post("/v1/chat/completions", chat_body(script, model=model, **fields))

    def instances(self) -> list[dict[str, Any]]:
        """All instances of all services, as /v1/services tells them."""
        answer = self.get("/v1/services")
        assert answer.status == 200, answer
        return [instance for service in answer.json()["data"] for instance in service["instances"]]

    def instance(self, url: str) -> dict[str, Any] | None:
        return next((instance for instance in self.instances() if instance["url"] == url), None)

    def wait_for_state(self, url: str, state: str, within: float = 5.0) -> None:
        """Until the instance at `url` is in `state`."""
        wait_until(lambda: (found := self.instance(url)) and found["state"] == state, within)

    def wait_until_idle(self, within: float = 2.0) -> None:
        """Until no instance has a call in flight."""
        wait_until(lambda: all(instance["in_flight"] == 0 for instance in self.instances()), within)

    def log_lines(self) -> list[dict[str, Any]]:
        """Every line of its log, each one a JSON object."""
        return [json.loads(line) for line in self.stdout.read_text().splitlines() if line]

    def request_line(self, request_id: str, within: float = 5.0) -> dict[str, Any]:
        """The log line of one finished request."""

        def find() -> dict[str, Any] | None:
            text = self.stdout.read_text()
            whole = text[: text.rfind("\n") + 1]
            lines = [json.loads(line) for line in whole.splitlines() if request_id in line]
            ended = [line for line in lines if line.get("event") == "request"]
            return next((line for line in ended if line.get("request_id") == request_id), None)

        line: dict[str, Any] = wait_until(find, within)
        return line

    def wait_for_storage(self, within: float = 20.0) -> None:
        """Until the storage has been opened, or could not be."""
        wait_until(lambda: '"storage_' in self.stdout.read_text(), within)

    def rss_bytes(self) -> int:
        """Its resident memory, once the libraries are loaded that it loads after its start."""
        self.wait_for_storage()
        process = psutil.Process(self.process.pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])


def chat_body(script: Mapping[str, Any] | None = None, *, model: str = "scripted", **fields: Any) -> dict[str, Any]:
    """The body of a chat request with its script."""
    body = {"model": model, "messages": [{"role": "user", "content": "PROMPT-MUST-NOT-BE-LOGGED"}], **fields}
    return body if script is None else {**body, "script": dict(script)}
