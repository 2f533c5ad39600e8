"""The default stack in a real container engine, started by the README's own commands."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.containers.compose import ROOT, Project, docker

README = (ROOT / "README.md").read_text(encoding="utf-8")
(QUICK_START,) = re.findall(r"## In containers\n.*?```sh\n(.*?)```", README, re.DOTALL)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def build(folder: Path, target: str, tag: str, *arguments: str) -> None:
    """An image of another checkout, by this one's Dockerfile: not every engine's Compose can build."""
    for name in ("deploy", "requirements"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    shutil.copy(ROOT / ".dockerignore", folder)
    network = os.environ.get("NEXUS_BUILD_NETWORK", "default")
    words = [word for argument in arguments for word in ("--build-arg", argument)]
    command = ["build", "--quiet", "--network", network, "--file", "deploy/Dockerfile", "--target", target, *words]
    docker(*command, "--tag", tag, ".", folder=folder)


@pytest.fixture(scope="session")
def quick_start() -> Iterator[tuple[Project, str]]:
    """The stack, and what the README's commands printed as it came up."""
    project = Project("nexus-test", free_port())
    project.down()
    try:
        yield project, project.shell(QUICK_START.replace("http://127.0.0.1:8800", project.url), within=1500)
    finally:
        project.down()


@pytest.fixture(scope="session")
def stack(quick_start: tuple[Project, str]) -> Project:
    return quick_start[0]


@pytest.fixture
def http(stack: Project) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is under version control, to which a test may add."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder
