"""Parts that nobody needs to start with: a TLS front and metrics, each in a profile of its own."""

from typing import Final

from nexus.deploy.compose.container import FRONT, SERVICES, Part, contained
from nexus.deploy.compose.gateway import KEYS_FOLDER
from nexus.deploy.plan import Plan
from nexus.deploy.secrets import PROMETHEUS

CADDY_IMAGE: Final = "caddy:2.10"
PROMETHEUS_IMAGE: Final = "prom/prometheus:v3.5.0"
_PROMETHEUS_USER: Final = "65534:65534"


def tls(plan: Plan) -> Part:
    """HTTPS with a certificate of a local authority, or of a public one where NEXUS_TLS_NAME is a public name.

    It publishes a port of its own at NEXUS_TLS_BIND; the gateway's stays on the loopback address.
    """
    command = "caddy reverse-proxy --from ${NEXUS_TLS_NAME:-localhost} --to gateway:" + str(plan.site.gateway.port)
    return {
        "image": CADDY_IMAGE,
        "profiles": ["tls"],
        **contained("0:0", 128, 512),
        "cap_add": ["NET_BIND_SERVICE"],
        "command": command.split(),
        "depends_on": {"gateway": {"condition": "service_healthy"}},
        "ports": ["${NEXUS_TLS_BIND:-127.0.0.1}:${NEXUS_TLS_PORT:-443}:443"],
        "volumes": ["tls:/data", "tls-config:/config"],
        "networks": [FRONT],
    }


def prometheus(plan: Plan) -> Part:
    """Prometheus, which finds the services as the gateway does, by name. Its pages are for this host alone, and of the
    keys it has the token."""
    return {
        "image": PROMETHEUS_IMAGE,
        "profiles": ["observability"],
        **contained(_PROMETHEUS_USER, 512, 512),
        "depends_on": {"gateway": {"condition": "service_healthy"}},
        "ports": ["127.0.0.1:${NEXUS_PROMETHEUS_PORT:-9090}:9090"],
        "volumes": [
            "./deploy/observability/prometheus.yml:/etc/prometheus/prometheus.yml:ro",
            f"{PROMETHEUS}-keys:{KEYS_FOLDER}/{PROMETHEUS}:ro",
            "prometheus:/prometheus",
        ],
        "networks": [FRONT, SERVICES],
    }
