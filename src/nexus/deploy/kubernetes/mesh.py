"""A service mesh's part: who is taken into it, and that only it is talked to."""

from typing import Any, Final

from nexus.deploy.kubernetes.objects import (
    SERVICE_LABEL,
    Object,
    engines,
    home,
    metadata,
    selecting,
    thing,
)
from nexus.deploy.plan import Plan

CONTROL_PLANE: Final = {"istio": "istio-system", "linkerd": "linkerd"}
LINKERD_PROXY_PORT: Final = 4143
"""Where Linkerd's proxies reach one another for what they do not parse, whatever port was asked for."""

_LINKERD: Final = "policy.linkerd.io"


def pod_labels(plan: Plan) -> dict[str, str]:
    """Labels of every pod: Istio takes in the pods that have this one, whatever their namespace says."""
    return {"sidecar.istio.io/inject": "true"} if plan.site.cluster.mesh == "istio" else {}


def pod_annotations(plan: Plan, grace: int) -> dict[str, str]:
    """Annotations of every pod. The proxy is there before the container starts, and still there while it drains."""
    match plan.site.cluster.mesh:
        case "istio":
            config = f'{{"holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "{grace}s"}}'
            return {"proxy.istio.io/config": config}
        case "linkerd":
            return {
                "linkerd.io/inject": "enabled",
                "config.linkerd.io/proxy-await": "enabled",
                "config.alpha.linkerd.io/proxy-enable-native-sidecar": "true",
            }
    return {}


def app_protocol(plan: Plan) -> str | None:
    """How Istio is told to treat calls that go to a pod's own address: as streams of a headless Service's pods, which
    it encrypts; as HTTP it would send them past the mesh, since their `host` is no Service's name."""
    return "tcp" if plan.site.cluster.mesh == "istio" else None


def mesh_objects(plan: Plan) -> list[Object]:
    """Mutual TLS as a must. The gateway alone also takes calls from outside the mesh: clients have no certificate."""
    match plan.site.cluster.mesh:
        case "istio":
            return _istio(plan)
        case "linkerd":
            return _linkerd(plan)
    return []


def _istio(plan: Plan) -> list[Object]:
    kind, api = "PeerAuthentication", "security.istio.io/v1"
    namespaces = [home(plan), *([engines(plan)] if any(unit.engine for unit in plan.units) else [])]
    strict = [
        thing(api, kind, metadata(plan, "default", "mesh", namespace), spec={"mtls": {"mode": "STRICT"}})
        for namespace in namespaces
    ]
    front = {
        "selector": {"matchLabels": selecting(plan, "gateway")},
        "mtls": {"mode": "STRICT"},
        "portLevelMtls": {str(plan.site.gateway.port): {"mode": "PERMISSIVE"}},
    }
    return [*strict, thing(api, kind, metadata(plan, "gateway", "mesh"), spec=front)]


def _linkerd(plan: Plan) -> list[Object]:
    site = plan.site
    found = _guarded(plan, "services", {SERVICE_LABEL: "true"}, "http", "gateway")
    if site.postgres.external_secret is None:
        found += _guarded(plan, "postgres", selecting(plan, "postgres"), "postgres", "gateway")
    if site.valkey.external_secret is None:
        found += _guarded(plan, "valkey", selecting(plan, "valkey"), "valkey", "gateway")
    for unit in plan.units:
        if unit.engine:
            labels = selecting(plan, unit.engine.name)
            found += _guarded(plan, unit.engine.name, labels, "http", unit.folder, engines(plan))
    return found


def _guarded(
    plan: Plan, name: str, labels: dict[str, str], port: str, caller: str, namespace: str | None = None
) -> list[Object]:
    """A port of some pods, and the one ServiceAccount that may reach it."""
    where: Any = metadata(plan, name, "mesh", namespace)
    protocol = "HTTP/1" if port == "http" else "opaque"
    server = {"podSelector": {"matchLabels": labels}, "port": port, "proxyProtocol": protocol}
    policy = {
        "targetRef": {"group": _LINKERD, "kind": "Server", "name": name},
        "requiredAuthenticationRefs": [{"group": _LINKERD, "kind": "MeshTLSAuthentication", "name": name}],
    }
    who = {"identityRefs": [{"kind": "ServiceAccount", "name": caller, "namespace": home(plan)}]}
    return [
        thing(f"{_LINKERD}/v1beta3", "Server", where, spec=server),
        thing(f"{_LINKERD}/v1alpha1", "AuthorizationPolicy", where, spec=policy),
        thing(f"{_LINKERD}/v1alpha1", "MeshTLSAuthentication", where, spec=who),
    ]
