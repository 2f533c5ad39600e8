"""A simulated ComfyUI in a process of its own, and the service before it."""

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
SIMULATOR = FOLDER / "tests" / "material" / "comfy_simulator.py"
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Comfy:
    """The simulated engine: what it has seen, what it is to do, its death and its return."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, str(SIMULATOR), str(self.port)])
        deadline = time.monotonic() + 20
        while True:
            try:
                OPEN.open(f"{self.url}/system_stats", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the simulator does not come up"
                assert self._process.poll() is None, "the simulator has died"
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def control(self, **what: Any) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/sim/control", json.dumps(what).encode(), headers)
        with OPEN.open(request, timeout=5) as answer:
            return json.load(answer)

    def told(self) -> dict[str, Any]:
        with OPEN.open(f"{self.url}/sim/seen", timeout=5) as answer:
            return json.load(answer)

    def seen(self, path: str, method: str = "POST") -> list[dict[str, Any]]:
        """The requests so far to a path (a prefix of it)."""
        return [one for one in self.told()["seen"] if one["path"].startswith(path) and one["method"] == method]

    def prompts(self) -> list[dict[str, Any]]:
        """The bodies of all prompts so far."""
        return [one["json"] for one in self.seen("/prompt")]

    def wait_for(self, path: str, count: int, method: str = "POST", seconds: float = 10) -> dict[str, Any]:
        """The `count`-th request to a path, once it is there."""
        deadline = time.monotonic() + seconds
        while len(found := self.seen(path, method)) < count:
            assert time.monotonic() < deadline, f"no {method} {path} within {seconds} s"
            time.sleep(0.02)
        return found[count - 1]


@pytest.fixture(scope="session")
def comfy_process() -> Iterator[Comfy]:
    comfy = Comfy()
    yield comfy
    comfy.kill()


@pytest.fixture
def comfy(comfy_process: Comfy) -> Iterator[Comfy]:
    """The engine, quick and well behaved at the start of each test."""
    comfy_process.control(**WELL)
    yield comfy_process
    comfy_process.control(**WELL)


WELL = {
    "step_seconds": 0.0,
    "no_websocket": False,
    "no_jobs_api": False,
    "garbage": [],
    "others_wait": 0,
    "fail": None,
    "files": {"checkpoints": ["sd_xl_base_1.0.safetensors", "other/dream shaper.safetensors"]},
}


@pytest.fixture(scope="session")
def workflows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's folder of workflows."""
    return tmp_path_factory.mktemp("workflows")


@pytest.fixture(scope="session")
def served(serve: Any, comfy_process: Comfy, workflows: Path) -> Iterator[str]:
    with serve(FOLDER, NEXUS_COMFYUI_URL=comfy_process.url, NEXUS_COMFYUI_WORKFLOWS=str(workflows)) as url:
        yield url
