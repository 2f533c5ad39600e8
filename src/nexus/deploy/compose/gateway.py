"""The gateway's container, the only one that publishes a port, and the one that makes the keys before it."""

from typing import Final

from nexus.deploy.compose.container import FRONT, SERVICES, STORES, USER, Part, build, contained, literal
from nexus.deploy.plan import PRIVATE_NETWORKS, SERVICE_PORT, Plan
from nexus.deploy.secrets import GATEWAY, POSTGRES, PROMETHEUS, VALKEY
from nexus.deploy.site import SiteError

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
        "volumes": [f"{name}-keys:{KEYS_FOLDER}/{name}" for name in (GATEWAY, POSTGRES, VALKEY, PROMETHEUS)],
    }


def secret_files(plan: Plan) -> dict[str, str]:
    """The files that hold the addresses of stores elsewhere, by the secret's name."""
    site = plan.site
    files = {"database_url": site.postgres.external_secret, "redis_url": site.valkey.external_secret}
    return {name: file for name, file in files.items() if file}


def gateway(plan: Plan) -> Part:
    """The gateway. Raises SiteError where the site asks for more than one, as there is one port."""
    part = plan.site.gateway
    if part.replicas > 1:
        raise SiteError("gateway.replicas: a Compose stack has one gateway, which has the port; several need a cluster")
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
        environment["NEXUS_PUBLIC_URL"] = literal(part.public_url)
    if plan.elsewhere:
        environment["NEXUS_SERVICES"] = literal(",".join(plan.elsewhere))
    elsewhere = secret_files(plan)
    for name in elsewhere:
        environment[f"NEXUS_{name.upper()}_FILE"] = f"/run/secrets/{name}"
    return {
        "image": plan.gateway_image,
        "build": build("gateway"),
        **contained(USER, part.memory_mb, round(1024 * part.cpu)),
        "stop_grace_period": _GRACE,
        "depends_on": {
            "keys": {"condition": "service_completed_successfully"},
            **({} if plan.site.postgres.external_secret else {"postgres": {"condition": "service_healthy"}}),
        },
        "ports": [f"${{NEXUS_BIND:-127.0.0.1}}:${{NEXUS_PORT:-{part.port}}}:{part.port}"],
        "environment": {**environment, **{name: literal(value) for name, value in part.env.items()}},
        **({"secrets": list(elsewhere)} if elsewhere else {}),
        "volumes": [f"files:{_STATE}", f"{GATEWAY}-keys:{KEYS_FOLDER}/{GATEWAY}:ro"],
        "networks": [FRONT, SERVICES, STORES],
    }
