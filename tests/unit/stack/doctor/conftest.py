"""Manifests as the doctor reads them, hosts that want them, and a port that somebody has."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nexus.gateway.settings import load_settings
from nexus.sdk.manifest import read_manifest
from nexus.stack.doctor.values import Host, Wanted

MANIFEST = """
[service]
name = "{name}"
engine = "engine:Engine"
operations = ["embeddings"]
[resources]
memory_mb = {memory}
[[config]]
env = "NEXUS_{upper}_URL"
default = "{url}"
{more}
"""
ENGINE = """
[deploy]
profile = "{name}"
[deploy.engine]
image = "example/{name}:1"
port = 1234
url_env = "NEXUS_{upper}_URL"
health = "/version"
memory_mb = 4096
gpu = {{ required = true, vram_mb = 8000 }}
"""


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[..., Wanted]:
    """Makes a service that is to run; with `engine`, one that stands before an engine with an image."""

    def make(
        name: str = "painter", *, url: str = "", memory: int = 100, engine: bool = False, **fields: object
    ) -> Wanted:
        upper = name.upper().replace("-", "_")
        folder = tmp_path / "services" / name
        folder.mkdir(parents=True)
        more = ENGINE.format(name=name, upper=upper) if engine else ""
        text = MANIFEST.format(name=name, upper=upper, url=url, memory=memory, more=more)
        (folder / "service.toml").write_text(text)
        return Wanted(read_manifest(folder), **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Host]:
    """Makes a host with the gateway's settings as the environment then says."""

    def make(*services: Wanted, **fields: object) -> Host:
        given = {"settings": load_settings(), **fields}
        return Host(tmp_path, tmp_path / ".nexus", services=services, **given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 that this process listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
