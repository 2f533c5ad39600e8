"""A simulated InvokeAI in a process of its own, and the service before it."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))
SIMULATOR = FOLDER / "tests" / "material" / "invoke_simulator.py"
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
QUEUE = "/api/v1/queue/default"
WELL = {
    "step_seconds": 0.0,
    "no_socket": False,
    "token": None,
    "garbage": [],
    "full": False,
    "broken": False,
    "slow_install": False,
    "late": 0,
    "fail": None,
    "models": ["SDXL base", "SDXL Turbo"],
}


class Invoke:
    """The simulated engine: what it has seen, what it is to do, its death and its return."""

    def __init__(self, file: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._file = file
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, str(SIMULATOR), str(self.port), str(self._file)])
        deadline = time.monotonic() + 20
        while True:
            try:
                OPEN.open(f"{self.url}/api/v1/app/version", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the simulator does not come up"
                assert self._process.poll() is None, "the simulator has died"
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def control(self, **what: Any) -> None:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/sim/control", json.dumps(what).encode(), headers)
        OPEN.open(request, timeout=5).close()

    def told(self) -> dict[str, Any]:
        with OPEN.open(f"{self.url}/sim/told", timeout=5) as answer:
            return json.load(answer)

    def seen(self, path: str, method: str = "POST") -> list[dict[str, Any]]:
        """The requests so far to a path (a prefix of it)."""
        return [one for one in self.told()["seen"] if one["path"].startswith(path) and one["method"] == method]

    def graphs(self) -> list[dict[str, Any]]:
        """The nodes of all graphs so far."""
        return [one["json"]["batch"]["graph"]["nodes"] for one in self.seen(f"{QUEUE}/enqueue_batch")]

    def wait_for(self, path: str, count: int, method: str, seconds: float = 10) -> dict[str, Any]:
        """The `count`-th request to a path, once it is there."""
        deadline = time.monotonic() + seconds
        while len(found := self.seen(path, method)) < count:
            assert time.monotonic() < deadline, f"no {method} {path} within {seconds} s"
            time.sleep(0.02)
        return found[count - 1]


@pytest.fixture(scope="session")
def invoke_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Invoke]:
    invoke = Invoke(tmp_path_factory.mktemp("invoke") / "queue.json")
    yield invoke
    invoke.kill()


@pytest.fixture
def invoke(invoke_process: Invoke) -> Iterator[Invoke]:
    """The engine, quick and well behaved at the start of each test."""
    invoke_process.control(**WELL)
    yield invoke_process
    invoke_process.control(**WELL)


@pytest.fixture(scope="session")
def served(serve: Any, invoke_process: Invoke) -> Iterator[str]:
    with serve(FOLDER, NEXUS_INVOKEAI_URL=invoke_process.url, NEXUS_INVOKEAI_TOKEN="only-one") as url:
        yield url
