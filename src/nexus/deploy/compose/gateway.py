"""The gateway's container, the only one that publishes a port, and the one that makes the keys before it."""

from typing import Final

from nexus.deploy.compose.container import FRONT, SERVICES, STORES, USER, Part, build, contained
from nexus.deploy.plan import PRIVATE_NETWORKS, SERVICE_PORT, Plan
from nexus.deploy.secrets import GATEWAY, POSTGRES, VALKEY

KEYS_FOLDER: Final = "/run/nexus"
_STATE: Final = "/var/lib/nexus"
_GRACE: Final = "20s"
"""Twice what the gateway gives running requests at its end."""


def keys(plan: Plan) -> Part:
    """Makes the passwords and the administrator's token once, into volumes that only their readers mount."""
    return {
        "image": plan.gateway_image,
        "build": build("gateway"),
        **contained(USER, 256, 1024),
        "restart": "no",
        "command": ["deploy", "secrets", KEYS_FOLDER],
        "network_mode": "none",
        "healthcheck": {"disable": True},
        "volumes": [f"{name}-keys:{KEYS_FOLDER}/{name}" for name in (GATEWAY, POSTGRES, VALKEY)],
    }


def gateway(plan: Plan) -> Part:
    """The gateway, on every network of the stack."""
    part = plan.site.gateway
    environment = {
        "NEXUS_HOST": "0.0.0.0",
        "NEXUS_PORT": str(part.port),
        "NEXUS_API_KEY_FILE": f"{KEYS_FOLDER}/{GATEWAY}/api_key",
        "NEXUS_DATABASE_URL_FILE": f"{KEYS_FOLDER}/{GATEWAY}/database_url",
        "NEXUS_REDIS_URL_FILE": f"{KEYS_FOLDER}/{GATEWAY}/redis_url",
        "NEXUS_FILES_URL": f"file://{_STATE}/files",
        "NEXUS_DISCOVERY_DNS": f"nexus-service:{SERVICE_PORT}",
        "NEXUS_DISCOVERY_INTERVAL": "1",
        "NEXUS_HEALTH_INTERVAL": "1",
        "NEXUS_ADVERTISED_URL": f"http://gateway:{part.port}",
        "NEXUS_METRICS_ALLOW": PRIVATE_NETWORKS,
    }
    if part.public_url:
        environment["NEXUS_PUBLIC_URL"] = part.public_url
    if plan.elsewhere:
        environment["NEXUS_SERVICES"] = ",".join(plan.elsewhere)
    return {
        "image": plan.gateway_image,
        "build": build("gateway"),
        **contained(USER, part.memory_mb, round(1024 * part.cpu)),
        "stop_grace_period": _GRACE,
        "depends_on": {
            "keys": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
        },
        "ports": [f"${{NEXUS_BIND:-127.0.0.1}}:${{NEXUS_PORT:-{part.port}}}:{part.port}"],
        "environment": {**environment, **part.env},
        "volumes": [f"files:{_STATE}", f"{GATEWAY}-keys:{KEYS_FOLDER}/{GATEWAY}:ro"],
        "networks": [FRONT, SERVICES, STORES],
    }
