"""Docker and Compose: whether they are there, may be used, are new enough, and have room."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from nexus.stack.doctor.commands import Said, ask
from nexus.stack.doctor.room import needs
from nexus.stack.doctor.values import Finding, Host, ok, warning

_MB: Final = 1024 * 1024
_COMPOSE: Final = (2, 20)  # both as docs/containers.md says
_ENGINE: Final = (20, 10)
_ROOM_MB: Final = 10_000  # the images of the default stack and what building them leaves
_HOW: Final = "install Docker's engine (20.10 or newer) with its Compose plugin (2.20 or newer)"


@dataclass(frozen=True, slots=True)
class Docker:
    """What `docker info` and `docker compose version` said; None where there is no such program. `free` is the room of
    the data folder in MB, None where that is in another machine, as with Docker Desktop."""

    info: Said | None
    compose: Said | None = None
    free: int | None = None


def containers(host: Host) -> list[Finding]:
    """Containers are one of two ways to run Nexus: what is missing for them is no problem by itself."""
    return judge(look(), sum(needs(host).values()))


def look() -> Docker:
    """Ask the client, which asks the engine that the user's environment names."""
    with ThreadPoolExecutor(2) as threads:
        asked = threads.submit(ask, "docker", "info", "--format", "{{json .}}")
        compose = threads.submit(ask, "docker", "compose", "version", "--short").result()
        info = asked.result()
    return Docker(info, compose, _free(_told(info).get("DockerRootDir") if info else None))


def _free(folder: Any) -> int | None:
    try:
        return shutil.disk_usage(folder).free // _MB if folder else None
    except OSError:
        return None


def _told(info: Said) -> dict[str, Any]:
    try:
        told = json.loads(info.out)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def judge(docker: Docker, need: int) -> list[Finding]:
    """What that means for a stack that asks for `need` MB of memory."""
    if docker.info is None:
        return [warning("there is no Docker here: Nexus can be run by `nexus up` alone", _HOW)]
    told = _told(docker.info)
    if not told.get("ServerVersion"):
        return [_unreachable(docker.info, told), *_compose(docker.compose)]
    return [*_engine(told), *_compose(docker.compose), *_room(told, docker.free, need)]


def _unreachable(info: Said, told: dict[str, Any]) -> Finding:
    reasons = told.get("ServerErrors") or [info.last_line]
    reason = " ".join(str(reasons[0]).split())
    if "permission denied" in reason.lower():
        todo = "add the user to the group docker and log in anew, or use Docker's rootless mode"
        return warning("this user may not use Docker's engine", todo)
    return warning(f"Docker's engine cannot be used: {reason}", "start it (systemctl start docker, or Docker Desktop)")


def _engine(told: dict[str, Any]) -> list[Finding]:
    version = str(told["ServerVersion"])
    if _number(version) < _ENGINE:
        return [warning(f"Docker's engine {version} is old", _HOW)]
    return [ok(f"Docker's engine {version} ({told.get('OperatingSystem', 'unknown')}) may be used")]


def _compose(said: Said | None) -> list[Finding]:
    if said is None or said.status != 0:
        return [warning("Docker has no Compose plugin: `docker compose` does not work", _HOW)]
    version = said.out.strip()
    if _number(version) < _COMPOSE:
        return [warning(f"Docker Compose {version} is old", _HOW)]
    return [ok(f"Docker Compose {version}")]


def _room(told: dict[str, Any], free: int | None, need: int) -> list[Finding]:
    found = []
    memory = told.get("MemTotal")
    if isinstance(memory, int) and memory // _MB < need:
        what = f"containers have {memory // _MB} MB of memory; the stack asks for {need} MB"
        found.append(warning(what, "give Docker more memory (Docker Desktop: Resources), or leave services out"))
    if free is not None and free < _ROOM_MB:
        what = f"{free} MB are free in Docker's data folder {told['DockerRootDir']}"
        found.append(warning(what, "make room: docker system prune, or another data-root for the engine"))
    return found


def _number(version: str) -> tuple[int, int]:
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
