"""What Prometheus' operator is told: scrape the gateway with its token, and every service."""

from nexus.deploy.kubernetes.objects import DISCOVERY, KEYS, Object, metadata, selecting, thing
from nexus.deploy.plan import Plan


def monitoring_objects(plan: Plan) -> list[Object]:
    """A ServiceMonitor for the gateway and one for the services, where the site asks for metrics."""
    if not plan.site.cluster.metrics:
        return []
    token = {"type": "Bearer", "credentials": {"name": KEYS, "key": "api_key"}}
    return [
        _monitor(plan, "gateway", {"authorization": token}),
        _monitor(plan, DISCOVERY, {}),
    ]


def _monitor(plan: Plan, service: str, more: Object) -> Object:
    spec = {
        "selector": {"matchLabels": selecting(plan, service)},
        "endpoints": [{"port": "http", "path": "/metrics", "interval": "15s", **more}],
    }
    where = metadata(plan, service, "monitoring")
    return thing("monitoring.coreos.com/v1", "ServiceMonitor", where, spec=spec)
