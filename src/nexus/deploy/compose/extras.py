"""Parts that nobody needs to start with: a TLS front and metrics, each in a profile of its own."""

from typing import Final

from nexus.deploy.compose.container import FRONT, OUTSIDE, SERVICES, Part, contained
from nexus.deploy.plan import Plan

CADDY_IMAGE: Final = "caddy:2.10"
PROMETHEUS_IMAGE: Final = "prom/prometheus:v3.5.0"
_PROMETHEUS_USER: Final = "65534:65534"


def tls(plan: Plan) -> Part:
    """HTTPS with a certificate of a local authority, or of a public one where NEXUS_TLS_NAME is a public name.

    It publishes ports of its own; the gateway's stays on the loopback address.
    """
    command = "caddy reverse-proxy --from ${NEXUS_TLS_NAME:-localhost} --to gateway:" + str(plan.site.gateway.port)
    return {
        "image": CADDY_IMAGE,
        "profiles": ["tls"],
        **contained("0:0", 128, 512),
        "cap_add": ["NET_BIND_SERVICE"],
        "command": command.split(),
        "depends_on": {"gateway": {"condition": "service_healthy"}},
        "ports": ["${NEXUS_BIND:-127.0.0.1}:${NEXUS_TLS_PORT:-443}:443"],
        "volumes": ["tls:/data", "tls-config:/config"],
        "networks": [FRONT],
    }


def prometheus(plan: Plan) -> Part:
    """Prometheus, which finds the services as the gateway does, by name. Its pages are for this host alone."""
    return {
        "image": PROMETHEUS_IMAGE,
        "profiles": ["observability"],
        **contained(_PROMETHEUS_USER, 512, 512),
        "depends_on": {"gateway": {"condition": "service_healthy"}},
        "ports": ["127.0.0.1:${NEXUS_PROMETHEUS_PORT:-9090}:9090"],
        "volumes": [
            "./deploy/observability/prometheus.yml:/etc/prometheus/prometheus.yml:ro",
            "gateway-keys:/run/nexus/gateway:ro",
            "prometheus:/prometheus",
        ],
        "networks": [FRONT, SERVICES, OUTSIDE],
    }
