"""The process: it listens at once, drains on signals and at the lifeline's end, and tells what is wrong in one line."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.sdk.problems import ServiceError
from nexus.sdk.serve import bind

MANIFEST = """
[service]
name = "s"
engine = "engine:E"
[[endpoints]]
operation = "s.wait"
path = "/v1/s/wait"
streaming = "sse"
"""
ENGINE = """
from nexus.sdk.engine import Engine
class E(Engine):
    def s_wait(self, request: dict, call):
        yield {"begun": True}
        while not call.cancelled:
            pass
"""
Process = subprocess.Popen[str]


class Served:
    """A service process and its log."""

    def __init__(
        self, folder: Path, *arguments: str, fds: tuple[int, ...] = (), leads: bool = False, **variables: str
    ) -> None:
        command = [sys.executable, "-m", "nexus.sdk.serve", str(folder), *arguments]
        environ = {**os.environ, "NEXUS_MODELS_CACHE": str(folder / "cache"), **variables}
        self.process = subprocess.Popen(
            command,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=fds,
            start_new_session=leads,
        )

    def log_until(self, event: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return told
        raise AssertionError(f"{event!r} never came: {self.process.stderr and self.process.stderr.read()}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service.toml").write_text(MANIFEST)
    (tmp_path / "engine.py").write_text(ENGINE)
    return tmp_path


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Served]]:
    begun: list[Served] = []

    def begin(*arguments: str, **more: Any) -> Served:
        begun.append(Served(folder, *arguments, **more))
        return begun[-1]

    yield begin
    for served in begun:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_it(serve: Callable[..., Served], number: int) -> None:
    served = serve("--port", "0")
    url = served.log_until("listening")["url"]
    served.log_until("a model is ready")
    assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
    served.process.send_signal(number)
    served.log_until("draining")
    assert served.process.wait(10) == 0


def test_a_running_stream_is_cut_at_the_end_of_the_drain_and_says_so(serve: Callable[..., Served]) -> None:
    served = serve("--port", "0", NEXUS_DRAIN_SECONDS="0.2")
    url = served.log_until("listening")["url"]
    served.log_until("a model is ready")
    with httpx.stream("POST", f"{url}/v1/s/wait", json={}, timeout=20) as response:
        chunks = response.iter_text()
        assert "begun" in next(chunks)
        served.process.terminate()
        assert '"no_ready_service"' in "".join(chunks)
    assert served.process.wait(10) == 0


def test_a_second_signal_ends_it_at_once(serve: Callable[..., Served]) -> None:
    served = serve("--port", "0", NEXUS_DRAIN_SECONDS="60")
    url = served.log_until("listening")["url"]
    served.log_until("a model is ready")
    with httpx.stream("POST", f"{url}/v1/s/wait", json={}, timeout=20) as response:
        next(response.iter_text())
        served.process.terminate()
        served.log_until("draining")
        served.process.terminate()
        assert served.process.wait(10) == 128 + signal.SIGTERM


def test_it_ends_with_its_parent(serve: Callable[..., Served]) -> None:
    watched, held = os.pipe()
    served = serve("--port", "0", fds=(watched,), NEXUS_LIFELINE_FD=str(watched))
    os.close(watched)
    served.log_until("listening")
    os.close(held)
    served.log_until("draining")
    assert served.process.wait(10) == 0


@pytest.mark.parametrize("leads", [True, False])
def test_it_is_as_nice_as_its_manifest_says(folder: Path, serve: Callable[..., Served], leads: bool) -> None:
    (folder / "service.toml").write_text(f"{MANIFEST}[process]\nnice = 3\n")
    own = Path("/proc/self/autogroup")
    before = own.read_text() if own.exists() else ""
    served = serve("--port", "0", leads=leads)
    served.log_until("listening")
    pid = served.process.pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 3)
    threads = Path(f"/proc/{pid}/task")
    if threads.exists():
        assert {os.getpriority(os.PRIO_PROCESS, int(one.name)) for one in threads.iterdir()} == {
            os.getpriority(os.PRIO_PROCESS, pid)
        }
    group = Path(f"/proc/{pid}/autogroup")
    if leads and group.exists() and os.access(group, os.W_OK):
        assert group.read_text().endswith("nice 3\n")
    assert (own.read_text() if own.exists() else "") == before


def test_an_engine_that_cannot_be_imported_ends_it_with_one_line(folder: Path, serve: Callable[..., Served]) -> None:
    (folder / "engine.py").write_text("import no_such_library\n")
    served = serve("--port", "0")
    assert "no_such_library" in served.log_until("the service cannot start")["reason"]
    assert served.process.wait(10) == 1


def test_an_engine_that_cannot_be_opened_ends_it_with_one_line(folder: Path, serve: Callable[..., Served]) -> None:
    opens = "    async def open(self):\n        raise RuntimeError('no\\nsocket')\n"
    closes = "    async def close(self):\n        self.client.close()\n"
    (folder / "engine.py").write_text(ENGINE + opens + closes)
    served = serve("--port", "0")
    reason = served.log_until("the service cannot start")["reason"]
    assert reason == "the engine cannot be opened: RuntimeError: no socket"
    assert served.process.wait(10) == 1
    assert served.process.communicate() == ("", "")


def test_an_engine_that_cannot_be_closed_ends_all_the_same(folder: Path, serve: Callable[..., Served]) -> None:
    (folder / "engine.py").write_text(ENGINE + "    async def close(self):\n        raise RuntimeError('stuck')\n")
    served = serve("--port", "0")
    served.log_until("a model is ready")
    served.process.send_signal(signal.SIGTERM)
    assert "RuntimeError: stuck" in served.log_until("the engine cannot be closed")["traceback"]
    assert served.process.wait(10) == 0


@pytest.mark.parametrize(
    ("variables", "text", "words"),
    [
        ({"NEXUS_SERVICE_PORT": "many"}, MANIFEST, "NEXUS_SERVICE_PORT: 'many' is not a whole number"),
        ({}, MANIFEST.replace("s.wait", "S"), "service.toml: endpoints.0.operation"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    folder: Path, serve: Callable[..., Served], variables: dict[str, str], text: str, words: str
) -> None:
    (folder / "service.toml").write_text(text)
    out, err = serve(**variables).process.communicate(timeout=20)
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_a_taken_port_is_told(serve: Callable[..., Served]) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"cannot listen on 127.0.0.1 port {port}"):
            bind("127.0.0.1", port)
        served = serve("--port", str(port))
        _, err = served.process.communicate(timeout=20)
    assert err == f"nexus: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    assert served.process.returncode == 2
