"""`nexus up` as an operator meets it: real processes, from the first line to the last exit."""

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.servers.up import Up

SERVICE = """
[service]
name = "{name}"
engine = "engine:Greeter"
[[endpoints]]
operation = "{name}.greet"
path = "/v1/{name}/greet"
"""
ENGINE = """
import os
from typing import Any, TypeVar
from nexus.sdk.engine import Call, Engine

class Greeter(Engine):
    def load(self, model):
        {load}

    async def {name}_greet(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {{"hello": request["name"], "process": os.getpid()}}
"""


def make_service(folder: Path, load: str = "pass") -> None:
    """A small whole service; it appears in its place at once, as a copied folder would not."""
    draft = folder.parent.parent / f"{folder.name}.draft"
    draft.mkdir(parents=True)
    (draft / "engine.py").write_text(ENGINE.format(name=folder.name, load=load))
    (draft / "service.toml").write_text(SERVICE.format(name=folder.name))
    folder.parent.mkdir(exist_ok=True)
    draft.rename(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a stack file and one service, whose path is short enough to read."""
    (tmp_path / "stack.toml").write_text('[stack]\nservices = ["services/*"]\n')
    make_service(tmp_path / "services" / "alpha")
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Up]]:
    """Starts `nexus up`; whatever the test does, nothing of it is left."""
    started: list[Up] = []

    def up(**environ: str) -> Up:
        started.append(Up(folder, **environ))
        return started[-1]

    yield up
    for one in started:
        one.kill()


def test_from_the_first_line_to_the_last_exit(start: Callable[..., Up], folder: Path) -> None:
    up = start()
    up.says(r"^gateway: ready")
    up.says(r"^alpha: ready")
    token = up.says(r"^  Token").split()[-1]
    assert token == (folder / ".nexus" / "api_key").read_text().strip()
    assert up.answers("alpha")["hello"] == "you"
    up.says(r"^\d\d:\d\d:\d\d gateway +request .*status=200")
    assert not any("/readyz" in line for line in up.lines)
    family = up.children()
    assert len(family) == 2
    assert up.end() == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert "Traceback" not in "\n".join(up.lines)
    raw = (folder / ".nexus" / "logs" / "gateway.log").read_text().splitlines()
    assert any(json.loads(line)["event"] == "request" for line in raw if line.startswith("{"))


def test_a_second_start_installs_nothing_and_keeps_the_ports(start: Callable[..., Up], folder: Path) -> None:
    first = start()
    first.says(r"^alpha: ready")
    url = first.url
    assert first.end(signal.SIGTERM) == 0
    ports = (folder / ".nexus" / "ports.json").read_text()
    environments = list((folder / ".nexus" / "envs").glob("alpha-*"))
    second = start()
    second.says(r"^alpha: ready")
    assert second.url == url
    assert (folder / ".nexus" / "ports.json").read_text() == ports
    assert list((folder / ".nexus" / "envs").glob("alpha-*")) == environments
    assert second.end(signal.SIGHUP) == 0


def test_a_second_one_in_the_same_folder_is_refused(start: Callable[..., Up]) -> None:
    up = start()
    url = up.url
    other = start()
    assert other.process.wait(20) == 1
    assert other.says("already running") == f"nexus: Nexus is already running here at {url} (process {up.process.pid})"
    assert up.end() == 0


def test_a_child_that_dies_is_started_again(start: Callable[..., Up]) -> None:
    up = start()
    up.says(r"^alpha: ready")
    before = up.answers("alpha")["process"]
    os.kill(before, signal.SIGKILL)
    up.says(r"nexus +alpha: restarting: was killed by SIGKILL.*again in 0\.5 s")
    up.says(r"nexus +alpha: ready")
    assert up.answers("alpha")["process"] != before
    gateway = next(child for child in up.children() if "gateway" in child.cmdline())
    gateway.kill()
    up.says(r"nexus +gateway: ready")
    assert up.answers("alpha")["hello"] == "you"
    assert up.end() == 0


def test_nothing_is_left_when_the_parent_is_killed(start: Callable[..., Up]) -> None:
    up = start()
    up.says(r"^alpha: ready")
    family = up.children()
    assert len(family) == 2
    up.process.kill()
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_nothing_is_left_of_an_installation_when_the_parent_is_killed(start: Callable[..., Up], folder: Path) -> None:
    package = folder / "endless"
    package.mkdir()
    build = '[build-system]\nrequires = []\nbuild-backend = "endless"\nbackend-path = ["."]\n'
    (package / "pyproject.toml").write_text(build)
    (package / "endless.py").write_text("import time\ntime.sleep(600)\n")
    (folder / "services" / "alpha" / "requirements.txt").write_text(f"{package}\n")
    up = start()
    builds = up.until(
        lambda: [child for child in up.children() if "endless" in " ".join(_command(child))], "no build was started"
    )
    family = up.children()
    assert builds
    up.process.kill()
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_a_taken_port_is_told(start: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        up = start(NEXUS_PORT=str(port))
        assert up.process.wait(20) == 1
        line = up.says("is taken")
    assert line.startswith(f"nexus: port {port} on 127.0.0.1 is taken by ")
    assert f"(process {os.getpid()})" in line
    assert line.endswith("choose another one with NEXUS_PORT")


def test_a_bad_variable_is_told_before_anything_starts(start: Callable[..., Up]) -> None:
    up = start(NEXUS_HEALTH_INTERVAL="soon")
    assert up.process.wait(20) == 2
    assert up.says("NEXUS_HEALTH_INTERVAL").startswith("nexus: NEXUS_HEALTH_INTERVAL: ")


def test_a_folder_that_appears_is_taken_up_and_one_that_goes_is_let_go(start: Callable[..., Up], folder: Path) -> None:
    up = start()
    up.says(r"^alpha: ready")
    make_service(folder / "services" / "beta")
    up.says(r"nexus +beta: ready")
    process = psutil.Process(up.answers("beta")["process"])
    shutil.rmtree(folder / "services" / "beta")
    assert psutil.wait_procs([process], timeout=20)[1] == []
    up.until(lambda: up.greet("beta").status_code == 404, "beta is still routed")
    assert up.answers("alpha")["hello"] == "you"
    assert up.end() == 0


def test_a_broken_service_leaves_the_others_alone(start: Callable[..., Up], folder: Path) -> None:
    make_service(folder / "services" / "beta", load='raise RuntimeError("the weights are missing")')
    make_service(folder / "services" / "gamma")
    (folder / "services" / "gamma" / "service.toml").write_text("[service]\nname = 1\n")
    up = start()
    up.says(r"^alpha: ready")
    up.says(r"^beta: failed .*the weights are missing")
    up.says(r"^gamma: (restarting|failed).*service\.name")
    assert up.answers("alpha")["hello"] == "you"
    assert up.end() == 0


def test_a_second_signal_ends_it_at_once(start: Callable[..., Up], folder: Path) -> None:
    make_service(folder / "services" / "beta", load="import time; time.sleep(600)")
    up = start(NEXUS_DRAIN_SECONDS="600")
    up.says(r"^beta: loading")
    family = up.children()
    up.process.send_signal(signal.SIGINT)
    up.says("^Ending")
    assert up.end() == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
