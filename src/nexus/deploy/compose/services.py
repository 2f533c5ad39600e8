"""A service's container, and its engine's where that has one."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from nexus.deploy.compose.container import ALIAS, OUTSIDE, SERVICES, USER, Part, build, contained, literal
from nexus.deploy.plan import Engine, Gpu, Unit, Volume, wanted_drain

HOST: Final = "host.docker.internal"
_MODELS_PATH: Final = "/models"
_MODELS: Final = f"${{NEXUS_MODELS:-models}}:{_MODELS_PATH}:ro"
_CACHE: Final = "models-cache:/var/cache/nexus"
_DRAIN_SECONDS: Final = 10
"""What services give running calls where nobody says otherwise."""

_AFTER_DRAIN: Final = 10
_ROCM: Final[Part] = {
    "devices": ["/dev/kfd:/dev/kfd", "/dev/dri:/dev/dri"],
    "group_add": ["${NEXUS_VIDEO_GID:-44}", "${NEXUS_RENDER_GID:-109}"],
}
"""The groups are numbers of the host's: an image that does not know a name would not start."""


def service(unit: Unit) -> Part:
    """A service: reached by the gateway alone, found by the alias that all services share. Raises SiteError."""
    part: Part = {
        "image": unit.image,
        "build": build("service", SERVICE=unit.folder, EXTRAS=" ".join(unit.extras)),
        **_profile(unit.profile),
        **contained(USER, unit.memory_mb, unit.shares),
        "stop_grace_period": f"{ceil(wanted_drain(unit, _DRAIN_SECONDS)) + _AFTER_DRAIN}s",
        "environment": {"NEXUS_MODELS_DIR": _MODELS_PATH, **_literals(unit.env)},
        "volumes": [_MODELS, _CACHE, *(_mount(one) for one in unit.volumes if one.path != _MODELS_PATH)],
        "networks": {
            SERVICES: {"aliases": [ALIAS]},
            **({unit.engine.name: {}} if unit.engine else {}),
            **({OUTSIDE: {}} if unit.egress else {}),
        },
        **_copies(unit.replicas),
        **given(unit.gpu),
    }
    if unit.host_engine:
        part["extra_hosts"] = [f"{HOST}:host-gateway"]
    if unit.engine:
        part["depends_on"] = {unit.engine.name: {"condition": "service_started"}}
    return part


def engine(unit: Unit, engine: Engine) -> Part:
    """The engine's own image. It runs as the user that its makers chose, and may fetch models from outside; the network
    that has its name is shared with its service alone."""
    part: Part = {
        "image": engine.image,
        **_profile(unit.profile),
        "restart": "unless-stopped",
        "init": True,
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{engine.memory_mb}m",
        "cpu_shares": round(1024 * engine.cpu),
        "logging": {"driver": "local", "options": {"max-size": "10m", "max-file": "3"}},
        "networks": [engine.name, OUTSIDE],
        **given(engine.gpu),
    }
    if engine.command:
        part["command"] = [literal(word) for word in engine.command]
    if engine.env:
        part["environment"] = _literals(engine.env)
    if engine.volumes:
        part["volumes"] = [_mount(volume) for volume in engine.volumes]
    return part


def given(gpu: Gpu | None) -> Part:
    """The keys that give a container its GPUs; ROCm has no count, it is given all."""
    if gpu is None:
        return {}
    if gpu.kind == "rocm":
        return _ROCM
    device: dict[str, Any] = {"driver": "nvidia", "count": gpu.count, "capabilities": ["gpu"]}
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


def _profile(name: str | None) -> Part:
    return {"profiles": [name]} if name else {}


def _copies(replicas: int) -> Part:
    return {"scale": replicas} if replicas != 1 else {}


def _literals(values: Mapping[str, str]) -> dict[str, str]:
    return {name: literal(value) for name, value in values.items()}


def _mount(volume: Volume) -> str:
    return f"{volume.name}:{volume.path}{':ro' if volume.read_only else ''}"
