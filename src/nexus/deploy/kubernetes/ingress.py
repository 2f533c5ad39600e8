"""The way in from outside the cluster: an Ingress, or a Gateway with an HTTPRoute; both let answers stream."""

from typing import Any, Final

from nexus.deploy.kubernetes.objects import Object, metadata, present, thing
from nexus.deploy.plan import Plan

_NAME: Final = "gateway"
_NGINX: Final = {
    "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-http-version": "1.1",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
}
"""For ingress-nginx, whose 60 s and 1 MB would cut answers and refuse files: the gateway has limits of its own. Other
controllers pass over them; Traefik, HAProxy and Envoy stream as they are."""


def ingress_objects(plan: Plan) -> list[Object]:
    """What the site asks for of the two; nothing where it asks for neither."""
    cluster = plan.site.cluster
    return [
        *([_ingress(plan)] if cluster.ingress_class else []),
        *([_gateway(plan), _route(plan)] if cluster.gateway_class else []),
    ]


def _where(plan: Plan) -> Object:
    return metadata(plan, _NAME, "ingress")


def _ingress(plan: Plan) -> Object:
    cluster, host = plan.site.cluster, plan.site.gateway.host
    backend = {"service": {"name": _NAME, "port": {"name": "http"}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    tls = {**({"hosts": [host]} if host else {}), "secretName": cluster.tls_secret}
    spec = {
        "ingressClassName": cluster.ingress_class,
        **present(tls=[tls] if cluster.tls_secret else None),
        "rules": [{**present(host=host), "http": paths}],
    }
    where = {**_where(plan), "annotations": dict(_NGINX)}
    return thing("networking.k8s.io/v1", "Ingress", where, spec=spec)


def _gateway(plan: Plan) -> Object:
    cluster, host = plan.site.cluster, plan.site.gateway.host
    listener: dict[str, Any] = {"name": "http", "protocol": "HTTP", "port": 80}
    if cluster.tls_secret:
        certificate = {"kind": "Secret", "name": cluster.tls_secret}
        tls = {"mode": "Terminate", "certificateRefs": [certificate]}
        listener = {"name": "https", "protocol": "HTTPS", "port": 443, "tls": tls}
    spec = {
        "gatewayClassName": cluster.gateway_class,
        "listeners": [{**listener, **present(hostname=host), "allowedRoutes": {"namespaces": {"from": "Same"}}}],
    }
    return thing("gateway.networking.k8s.io/v1", "Gateway", _where(plan), spec=spec)


def _route(plan: Plan) -> Object:
    """Without timeouts of its own: how long an answer may take is the gateway's to say."""
    host = plan.site.gateway.host
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "timeouts": {"request": "0s", "backendRequest": "0s"},
        "backendRefs": [{"name": _NAME, "port": plan.site.gateway.port}],
    }
    spec = {"parentRefs": [{"name": _NAME}], **present(hostnames=[host] if host else None), "rules": [rule]}
    return thing("gateway.networking.k8s.io/v1", "HTTPRoute", _where(plan), spec=spec)
