"""A service's container, and its engine's where that has one."""

from typing import Any, Final

from nexus.deploy.compose.container import ALIAS, OUTSIDE, SERVICES, USER, Part, build, contained
from nexus.deploy.plan import Engine, Gpu, Unit, Volume

HOST: Final = "host.docker.internal"
_MODELS_PATH: Final = "/models"
_MODELS: Final = f"${{NEXUS_MODELS:-models}}:{_MODELS_PATH}:ro"
_CACHE: Final = "models-cache:/var/cache/nexus"


def service(unit: Unit) -> Part:
    """A service: reached by the gateway alone, found by the alias that all services share."""
    part: Part = {
        "image": unit.image,
        "build": build("service", SERVICE=unit.folder, EXTRAS=" ".join(unit.extras)),
        **_profile(unit.profile),
        **contained(USER, unit.memory_mb, unit.shares),
        "stop_grace_period": "20s",
        "environment": {"NEXUS_MODELS_DIR": _MODELS_PATH, **unit.env},
        "volumes": [_MODELS, _CACHE, *(_mount(one) for one in unit.volumes if one.path != _MODELS_PATH)],
        "networks": {SERVICES: {"aliases": [ALIAS]}, **({OUTSIDE: {}} if unit.egress or unit.engine else {})},
        **_copies(unit.replicas),
        **given(unit.gpu),
    }
    if unit.host_engine:
        part["extra_hosts"] = [f"{HOST}:host-gateway"]
    if unit.engine:
        part["depends_on"] = {unit.engine.name: {"condition": "service_started"}}
    return part


def engine(unit: Unit, engine: Engine) -> Part:
    """The engine's own image. It runs as the user that its makers chose, and may fetch models from outside."""
    part: Part = {
        "image": engine.image,
        **_profile(unit.profile),
        "restart": "unless-stopped",
        "init": True,
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{engine.memory_mb}m",
        "cpu_shares": round(1024 * engine.cpu),
        "logging": {"driver": "local", "options": {"max-size": "10m", "max-file": "3"}},
        "networks": [OUTSIDE],
        **given(engine.gpu),
    }
    if engine.command:
        part["command"] = list(engine.command)
    if engine.env:
        part["environment"] = dict(engine.env)
    if engine.volumes:
        part["volumes"] = [_mount(volume) for volume in engine.volumes]
    return part


def given(gpu: Gpu | None) -> Part:
    """The keys that give a container its GPUs."""
    if gpu is None:
        return {}
    if gpu.kind == "rocm":
        return {"devices": ["/dev/kfd:/dev/kfd", "/dev/dri:/dev/dri"], "group_add": ["video", "render"]}
    device: dict[str, Any] = {"driver": "nvidia", "count": gpu.count, "capabilities": ["gpu"]}
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


def _profile(name: str | None) -> Part:
    return {"profiles": [name]} if name else {}


def _copies(replicas: int) -> Part:
    return {"scale": replicas} if replicas != 1 else {}


def _mount(volume: Volume) -> str:
    return f"{volume.name}:{volume.path}{':ro' if volume.read_only else ''}"
