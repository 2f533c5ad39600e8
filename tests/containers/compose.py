"""The `docker` command as the tests use it: one project of the repository's Compose file, on a port of its own."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def docker(*words: str, env: Mapping[str, str] | None = None, within: float = 600, folder: Path = ROOT) -> str:
    """What `docker` prints. Raises AssertionError with its words where it fails."""
    done = subprocess.run(
        ["docker", *words],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def until(found: Callable[[], T | None], what: str, within: float = 60) -> T:
    """The first true value; AssertionError after so many seconds without one."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.2)
    raise AssertionError(f"not within {within:g} s: {what}")


@dataclass(frozen=True)
class Project:
    """One running stack. `files` go after the repository's Compose file; `folder` is the checkout."""

    name: str
    port: int
    files: Sequence[Path] = ()
    folder: Path = ROOT
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """What Compose is told; README's commands are run with it."""
        files = os.pathsep.join(map(str, (self.folder / "docker-compose.yml", *self.files)))
        return {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": files,
            "NEXUS_PORT": str(self.port),
            **self.more,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str, within: float = 600) -> str:
        """What `docker compose` prints."""
        return docker("compose", *words, env=self.env, within=within, folder=self.folder)

    def shell(self, script: str, within: float = 600) -> str:
        """What a script prints, run as a user would type it."""
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert done.returncode == 0, f"{script}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """`docker inspect` of the running containers, all or those of one service."""
        words = ["ps", "--quiet", *([service] if service else [])]
        ids = self.compose(*words).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found

    def inside(self, container: dict[str, Any], *words: str) -> str:
        """What a command prints that runs in a container."""
        return docker("exec", container["Id"], *words)

    def token(self) -> str:
        return self.compose("exec", "-T", "gateway", "cat", "/run/nexus/gateway/api_key").strip()

    def client(self) -> httpx.Client:
        """A client of the published port, with the token."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token()}"}, timeout=120)

    def down(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "3", "--remove-orphans")


def service_of(container: dict[str, Any]) -> str:
    """The Compose service that a container belongs to."""
    name: str = container["Config"]["Labels"]["com.docker.compose.service"]
    return name


def ready_instances(http: httpx.Client, name: str) -> set[str]:
    """The instances of a service that the gateway has ready."""
    for service in http.get("/v1/services").json()["data"]:
        if service["name"] == name:
            return {one["instance"] for one in service["instances"] if one["state"] == "ready"}
    return set()
