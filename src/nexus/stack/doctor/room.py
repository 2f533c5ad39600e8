"""Cores, memory and disk, against what the manifests of the wanted services say in sum."""

import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil

from nexus.process.cgroups import read_limits
from nexus.stack.config import StackError
from nexus.stack.distribution import running_sdk
from nexus.stack.doctor.running import stack_runs
from nexus.stack.doctor.system import nearest
from nexus.stack.doctor.values import Finding, Host, ok, problem, warning

_MB: Final = 1024 * 1024
_GATEWAY_MB: Final = 256
_ENVIRONMENT_MB: Final = 200  # of a service, on average: ten of them take 1.6 GB
_SPARE_MB: Final = 1024


def cores(_: Host) -> list[Finding]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [judge_cores(usable, read_limits().cores)]


def judge_cores(usable: int, quota: float | None) -> Finding:
    """`quota` is the processor time per second that the control group gives, None where it does not limit it."""
    told = f"{usable} cores" if usable != 1 else "1 core"
    if quota is not None and quota < usable:
        told += f", of which the control group gives {quota:g}"
    if min(usable, quota or usable) < 2:
        return warning(told, "give it two or more: with one, a chat waits for whatever else computes")
    return ok(told)


def memory(host: Host) -> list[Finding]:
    virtual = psutil.virtual_memory()
    limit = read_limits().memory
    total = min(virtual.total, limit or virtual.total) // _MB
    available = None if stack_runs(host.state) else min(virtual.available // _MB, total)
    return [judge_memory(needs(host), total, available)]


def needs(host: Host) -> dict[str, int]:
    """The memory in MB that each part of the stack asks for, and each engine that is to run in a container here."""
    asked = {"gateway": _GATEWAY_MB}
    for wanted in host.services:
        asked[wanted.name] = wanted.replicas * wanted.manifest.resources.memory_mb
        engine = wanted.manifest.deploy.engine
        if engine is not None and not wanted.in_stack:
            asked[f"{wanted.name}-engine"] = engine.memory_mb
    return asked


def judge_memory(asked: Mapping[str, int], total: int, available: int | None) -> Finding:
    """All in MB. `available` is None while the stack runs: then it has what it asked for."""
    need = sum(asked.values())
    told = f"the stack asks for {need} MB of memory; this host has {total} MB"
    largest = ", ".join(f"{name} {asked[name]} MB" for name in sorted(asked, key=lambda name: -asked[name])[:3])
    todo = f"leave services out with replicas = 0 in stack.toml; the largest are {largest}"
    if need > total:
        return problem(told, todo)
    if available is not None and need > available:
        return warning(f"{told}, of which {available} MB are free", f"end other programs, or {todo}")
    return ok(told if available is None else f"{told}, of which {available} MB are free")


def disk(host: Host) -> list[Finding]:
    place = nearest(host.state)
    here = [wanted for wanted in host.services if wanted.in_stack]
    missing = sum(not _is_installed(wanted.manifest.folder, wanted.extras, host) for wanted in here)
    return [judge_disk(str(place), missing, shutil.disk_usage(place).free // _MB)]


def judge_disk(place: str, missing: int, free: int) -> Finding:
    """`missing` services have no environment yet; `free` is in MB. Weights that are fetched come on top."""
    need = missing * _ENVIRONMENT_MB
    told = f"{free} MB are free at {place}"
    if need:
        told += f"; environments that are still to be made take about {need} MB"
    if free < need + _SPARE_MB // 4:
        return problem(told, "make room, or run Nexus in a folder on a larger disk")
    if free < need + _SPARE_MB:
        return warning(told, "make room: logs, files and results of jobs are kept there too")
    return ok(told)


def _is_installed(folder: Path, extras: tuple[str, ...], host: Host) -> bool:
    if find_spec("uv") is None:  # as in the gateway's image: no environments are made there
        return True
    from nexus.stack.environments import Recipe, environment_of  # noqa: PLC0415 - it needs uv

    try:
        return environment_of(Recipe(folder, running_sdk(), extras=extras), host.state).complete
    except (OSError, StackError):  # told where the service is read
        return False
