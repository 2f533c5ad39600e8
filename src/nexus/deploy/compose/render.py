"""The whole Compose file: every part of the stack in one list, as text that compares well."""

from typing import Any, Final

from nexus.deploy.compose.container import FRONT, OUTSIDE, SERVICES, STORES, Part
from nexus.deploy.compose.extras import prometheus, tls
from nexus.deploy.compose.gateway import gateway, keys, secret_files
from nexus.deploy.compose.services import engine, given, service
from nexus.deploy.compose.stores import postgres, valkey
from nexus.deploy.plan import Gpu, Plan
from nexus.deploy.site import GpuKind
from nexus.deploy.text import dump

COMMAND: Final = "nexus deploy compose"
_SHUT_IN: Final = {
    "internal": True,
    "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"},  # so the host has no way in either
}
_STRANGERS: Final = {"driver_opts": {"com.docker.network.bridge.enable_icc": "false"}}
"""The way out: containers on it do not reach one another."""


def render(plan: Plan) -> str:
    """The file that `docker compose` reads. Raises SiteError."""
    parts = _parts(plan)
    engines = [unit.engine.name for unit in plan.units if unit.engine]
    secrets = {name: {"file": file} for name, file in secret_files(plan).items()}
    volumes = sorted({name for part in parts.values() for name in _named_volumes(part)})
    return dump(
        {
            "name": plan.site.site.name,
            "services": parts,
            "networks": {
                FRONT: {},
                **dict.fromkeys((SERVICES, STORES, *engines), _SHUT_IN),
                OUTSIDE: _STRANGERS,
            },
            "volumes": {name: {} for name in volumes},
            **({"secrets": secrets} if secrets else {}),
        },
        COMMAND,
    )


def render_gpu(plan: Plan, kind: GpuKind) -> str:
    """An override file that gives a GPU of that kind to everything that says it can use one."""
    parts: dict[str, Part] = {}
    for unit in plan.units:
        if unit.engine and (unit.engine.vram_mb or kind in unit.engine.images):
            image = {"image": unit.engine.images[kind]} if kind in unit.engine.images else {}
            parts[unit.engine.name] = {**image, **given(Gpu(kind, 1))}
        elif unit.vram_mb:
            parts[unit.folder] = given(Gpu(kind, 1))
    return dump({"services": parts}, f"{COMMAND} --gpu {kind}")


def _parts(plan: Plan) -> dict[str, Part]:
    site = plan.site
    parts = {
        "keys": keys(plan),
        **({} if site.postgres.external_secret else {"postgres": postgres(plan)}),
        **({} if site.valkey.external_secret else {"valkey": valkey(plan)}),
        "gateway": gateway(plan),
    }
    for unit in plan.units:
        parts[unit.folder] = service(unit)
        if unit.engine:
            parts[unit.engine.name] = engine(unit, unit.engine)
    return {**parts, "tls": tls(plan), "prometheus": prometheus(plan)}


def _named_volumes(part: Part) -> list[str]:
    """The volumes that a part mounts by name; a path of the host begins with a dot, a choice with a dollar sign."""
    sources: list[Any] = [mount.split(":")[0] for mount in part.get("volumes", []) if mount[0] not in "./$"]
    return [*sources, "models"] if any(mount.startswith("$") for mount in part.get("volumes", [])) else sources
