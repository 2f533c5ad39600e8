"""Who may talk to whom: nobody, but for the few ways that are written here; and the Services that give names."""

from collections.abc import Sequence
from typing import Any, Final

from nexus.deploy.kubernetes.gateway import in_bucket
from nexus.deploy.kubernetes.mesh import CONTROL_PLANE, LINKERD_PROXY_PORT, app_protocol
from nexus.deploy.kubernetes.objects import (
    DISCOVERY,
    EGRESS_LABEL,
    SCRAPES_LABEL,
    SERVICE_LABEL,
    USES_LABEL,
    Object,
    engines,
    home,
    metadata,
    present,
    selecting,
    thing,
)
from nexus.deploy.kubernetes.stores import POSTGRES, POSTGRES_PORT, VALKEY, VALKEY_PORT
from nexus.deploy.plan import SERVICE_PORT, Engine, Plan, Unit

_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_DNS_ON_NODE: Final = "169.254.20.10/32"
"""Where NodeLocal DNSCache listens, where a cluster has it."""

_OUTSIDE: Final = (
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10"]}},
)
"""Every address but those that a node gives credentials to whoever asks."""


def discovery(plan: Plan) -> Object:
    """The name that stands for every service's pod, also for those not ready: the gateway looks for itself."""
    port = {"name": "http", "port": SERVICE_PORT, "targetPort": "http", **present(appProtocol=app_protocol(plan))}
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {SERVICE_LABEL: "true"},
        "ports": [port],
    }
    return thing("v1", "Service", metadata(plan, DISCOVERY, "discovery"), spec=spec)


def engine_service(plan: Plan, engine: Engine) -> Object:
    """An engine's name."""
    spec = {
        "type": "ClusterIP",
        "selector": selecting(plan, engine.name),
        "ports": [{"name": "http", "port": engine.port, "targetPort": "http"}],
    }
    return thing("v1", "Service", metadata(plan, engine.name, "engine", engines(plan)), spec=spec)


def policies(plan: Plan) -> list[Object]:
    """The ways of the namespace."""
    gateway, services = _pods(selecting(plan, "gateway")), _pods({SERVICE_LABEL: "true"})
    site = plan.site
    bundled = [
        (name, port)
        for name, port, part in ((POSTGRES, POSTGRES_PORT, site.postgres), (VALKEY, VALKEY_PORT, site.valkey))
        if part.external_secret is None
    ]
    ways = [_way(plan, [services], [SERVICE_PORT])]
    ways += [_way(plan, [_pods(selecting(plan, name))], [port]) for name, port in bundled]
    front = _policy(plan, "gateway", selecting(plan, "gateway"), [_way(plan, None, [site.gateway.port])], ways)
    served = [_way(plan, [gateway], [SERVICE_PORT])]
    if site.cluster.metrics:
        scrapers = {"namespaceSelector": {"matchLabels": {SCRAPES_LABEL: "true"}}}
        served.append(_way(plan, [scrapers], [SERVICE_PORT]))
    asking = [_way(plan, [gateway], [site.gateway.port])]
    return [
        *_closed(plan, home(plan)),
        front,
        _policy(plan, "services", {SERVICE_LABEL: "true"}, served, None),
        _policy(plan, "services-to-gateway", {USES_LABEL: "true"}, None, asking),
        _policy(plan, "services-to-outside", {EGRESS_LABEL: "true"}, None, [{"to": list(_OUTSIDE)}]),
        *([_gateway_to_outside(plan)] if _is_elsewhere(plan) else []),
        *(_policy(plan, name, selecting(plan, name), [_way(plan, [gateway], [port])], None) for name, port in bundled),
    ]


def engine_namespace_policies(plan: Plan) -> list[Object]:
    """The ways of the engines' namespace: they may fetch models, and each is reached by its service alone."""
    outside = _policy(plan, "engines-to-outside", None, None, [{"to": list(_OUTSIDE)}], engines(plan))
    return [*_closed(plan, engines(plan)), outside]


def engine_policies(plan: Plan, unit: Unit, engine: Engine) -> list[Object]:
    """The one way between a service and its engine, at both of its ends."""
    service = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: home(plan)}}}
    there = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: engines(plan)}}}
    reached = _way(plan, [{**service, **_pods(selecting(plan, unit.folder))}], [engine.port])
    reaches = _way(plan, [{**there, **_pods(selecting(plan, engine.name))}], [engine.port])
    return [
        _policy(plan, engine.name, selecting(plan, unit.folder), None, [reaches]),
        _policy(plan, engine.name, selecting(plan, engine.name), [reached], None, engines(plan)),
    ]


def _closed(plan: Plan, namespace: str) -> list[Object]:
    """Nothing in, nothing out, but for names and, in a mesh, what its proxies need."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    closed = thing("networking.k8s.io/v1", "NetworkPolicy", metadata(plan, "closed", "network", namespace), spec=spec)
    where = [
        {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: "kube-system"}}},
        {"ipBlock": {"cidr": _DNS_ON_NODE}},
    ]
    asked = {"to": where, "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    found = [closed, _policy(plan, "names", None, None, [asked], namespace)]
    mesh = plan.site.cluster.mesh
    if mesh:
        control = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: CONTROL_PLANE[mesh]}}}
        found.append(_policy(plan, "mesh", None, None, [{"to": [control]}], namespace))
    return found


def _is_elsewhere(plan: Plan) -> bool:
    site = plan.site
    return bool(plan.elsewhere or site.postgres.external_secret or site.valkey.external_secret or in_bucket(plan))


def _gateway_to_outside(plan: Plan) -> Object:
    """Stores, buckets and services elsewhere: their addresses are names or in Secrets, which no policy reads."""
    outside: list[Any] = [{"to": list(_OUTSIDE)}]
    return _policy(plan, "gateway-to-outside", selecting(plan, "gateway"), None, outside)


def _pods(labels: dict[str, str]) -> Object:
    return {"podSelector": {"matchLabels": labels}}


def _way(plan: Plan, peers: Sequence[Object] | None, ports: Sequence[int]) -> Object:
    """Peers and ports; None are all peers. The key that says whether they come or are gone to is `_policy`'s."""
    more = [LINKERD_PROXY_PORT] if plan.site.cluster.mesh == "linkerd" else []
    wanted = [{"protocol": "TCP", "port": port} for port in (*ports, *more)]
    return {**present(peers=None if peers is None else list(peers)), "ports": wanted}


def _policy(
    plan: Plan,
    name: str,
    pods: dict[str, str] | None,
    ingress: list[Object] | None,
    egress: list[Object] | None,
    namespace: str | None = None,
) -> Object:
    """A policy for some pods, all where `pods` is None."""
    spec = {
        "podSelector": {"matchLabels": pods} if pods else {},
        "policyTypes": [kind for kind, ways in (("Ingress", ingress), ("Egress", egress)) if ways is not None],
        **present(
            ingress=None if ingress is None else [_directed(way, "from") for way in ingress],
            egress=None if egress is None else [_directed(way, "to") for way in egress],
        ),
    }
    return thing("networking.k8s.io/v1", "NetworkPolicy", metadata(plan, name, "network", namespace), spec=spec)


def _directed(way: Object, word: str) -> Object:
    return {word if key == "peers" else key: value for key, value in way.items()}
