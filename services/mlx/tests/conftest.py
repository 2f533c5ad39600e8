"""The service's folder on the import path, and a server that fails on demand."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

FOLDER = Path(__file__).parents[1]
SIMULATOR = Path(__file__).parent / "simulator.py"
sys.path.insert(0, str(FOLDER))


@contextmanager
def _simulated(port: int = 0, model: str = "org/own") -> Iterator[str]:
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    command = [sys.executable, str(SIMULATOR), "--port", str(port), "--model", model]
    with subprocess.Popen(command) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            yield url
        finally:
            process.kill()


def _wait_for(url: str) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
        client.get(f"{url}/health")


@pytest.fixture(scope="session")
def simulate() -> Callable[..., AbstractContextManager[str]]:
    """A context manager that runs the simulator in a process of its own and gives its URL."""
    return _simulated
