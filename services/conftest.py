"""Shared by the services' own tests: a served service, and OpenAI's published document to hold answers against.

Run them in a service's own environment: `<env>/bin/python -m pytest services/<name>/tests`.
"""

import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus.sdk.engine import Call, Model
from nexus.sdk.models import read_entry
from nexus.sdk.sources import resolve, unresolved
from tests.servers.openai_document import DOCUMENT, WHY_NOT, complaints, load_document


@pytest.fixture(scope="session")
def openai_document() -> dict[str, Any]:
    """OpenAI's OpenAPI document."""
    if not DOCUMENT.is_file():
        pytest.skip(WHY_NOT)
    return load_document()


@pytest.fixture(scope="session")
def conforms(openai_document: dict[str, Any]) -> Callable[[str, Any], None]:
    """Holds a value against one schema of the document, by name."""

    def check(name: str, value: Any) -> None:
        errors = complaints(openai_document, name, value)
        if errors:
            pytest.fail("\n".join(errors))

    return check


@pytest.fixture(scope="session")
def find_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Model]:
    """The model of a manifest entry's file, its own files found."""

    def find(file: Path) -> Model:
        entry = read_entry(file)
        path, digest = resolve(entry, tmp_path_factory.mktemp("cache"), threading.Event())
        return replace(unresolved(entry), path=path, digest=digest)

    return find


@pytest.fixture
def call(model: Model) -> Call:
    """A call on the model of the service's own tests."""
    return Call("test", model, {})


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """A context manager that serves a service folder in a process of its own and gives its base URL."""
    return _served


@contextmanager
def _served(folder: Path, **environment: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nexus.sdk.serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, **environment}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _wait_ready(url: str, process: subprocess.Popen[str]) -> None:
    """Read the log, which tells of every change, until the service says that it is ready."""
    for _line in process.stdout or ():
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            continue
    raise AssertionError(f"the service ended with {process.wait()} before it was ready")
