"""The slow service as a process that can be killed and started again, and what it wrote into its diary."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.gateway import free_port
from tests.servers.raw import fetch, wait_until

FOLDER = Path(__file__).parent / "slow"


class SlowService:
    """Use as a context manager; its port stays the same over `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.diary = folder / "diary.jsonl"
        self._log = folder / "slow.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.diary.touch()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [
            sys.executable,
            "-m",
            "nexus.sdk.serve",
            str(FOLDER),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, "SLOW_DIARY": str(self.diary)}, stderr=log, stdout=log
            )
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

    def entries(self) -> list[dict[str, Any]]:
        """What it wrote, in order."""
        return [json.loads(line) for line in self.diary.read_text().splitlines()]

    def count(self, what: str) -> Counter[str]:
        """How often it began, ended or gave up each prompt."""
        return Counter(entry["prompt"] for entry in self.entries() if entry["what"] == what)

    def most_at_once(self) -> int:
        """How many calls it ever ran at the same time."""
        running = most = 0
        for entry in self.entries():
            running += 1 if entry["what"] == "begin" else -1
            most = max(most, running)
        return most

    def _is_ready(self) -> bool:
        try:
            return fetch(self.port, "/readyz").status == 200
        except OSError:
            return False
