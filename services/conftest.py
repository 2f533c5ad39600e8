"""Shared by the services' own tests: a served service, and OpenAI's published document to hold answers against.

Run them in a service's own environment: `<env>/bin/python -m pytest services/<name>/tests`.
"""

import gzip
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT.parent / "shared" / "specs" / "openai-openapi.json.gz"
START_SECONDS = 60.0


@pytest.fixture(scope="session")
def openai_document() -> dict[str, Any]:
    """OpenAI's OpenAPI document, its `nullable: true` turned into what JSON Schema knows."""
    if not DOCUMENT.is_file():
        pytest.skip("OpenAI's published OpenAPI document is not beside this checkout")
    document: dict[str, Any] = _without_nullable(json.loads(gzip.decompress(DOCUMENT.read_bytes())))
    # The document demands a count of cache writes that OpenAI itself leaves out of most answers.
    document["components"]["schemas"]["CompletionUsage"]["properties"]["prompt_tokens_details"].pop("required", None)
    return document


@pytest.fixture(scope="session")
def conforms(openai_document: dict[str, Any]) -> Callable[[str, Any], None]:
    """Holds a value against one schema of the document, by name."""

    def check(name: str, value: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": openai_document["components"]}
        errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]
        if errors:
            pytest.fail("\n".join(errors))

    return check


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


def _without_nullable(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_nullable(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain
