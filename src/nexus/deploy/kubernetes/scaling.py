"""How many copies there are: autoscalers, and how many may be away at once."""

from typing import Any, Final

from nexus.deploy.kubernetes.objects import Object, metadata, selecting, thing
from nexus.deploy.plan import Plan, Unit

_BUSY_PERCENT: Final = 80
_GATEWAY_IN_FLIGHT: Final = 200
"""Calls in flight at one gateway on average, above which there should be one more."""

_CALM_SECONDS: Final = 300
"""How long it has to be calm before copies end: loading a model again takes long."""


def service_scaling(plan: Plan, unit: Unit) -> list[Object]:
    """A service's disruption budget, and its autoscaler where it may grow: by processors and, with `metrics`, by the
    calls that wait and those that run."""
    waiting = [
        _pods("nexus_service_queue_length", "1"),
        _pods("nexus_service_in_flight", f"{unit.concurrency * _BUSY_PERCENT * 10}m"),
    ]
    found = [_budget(plan, unit.folder, "service")]
    if unit.max_replicas:
        found.append(_scaler(plan, unit.folder, "service", unit.replicas, unit.max_replicas, waiting))
    return found


def gateway_scaling(plan: Plan) -> list[Object]:
    """The gateway's."""
    gateway = plan.site.gateway
    found = [_budget(plan, "gateway", "gateway")]
    if gateway.max_replicas:
        calls = [_pods("nexus_in_flight", str(_GATEWAY_IN_FLIGHT))]
        found.append(_scaler(plan, "gateway", "gateway", gateway.replicas, gateway.max_replicas, calls))
    return found


def _budget(plan: Plan, name: str, component: str) -> Object:
    """One copy at a time may be moved away; where there is one, it may be: a node has to be emptied some day."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selecting(plan, name)},
    }
    return thing("policy/v1", "PodDisruptionBudget", metadata(plan, name, component), spec=spec)


def _scaler(plan: Plan, name: str, component: str, least: int, most: int, own: list[Any]) -> Object:
    cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _BUSY_PERCENT}},
    }
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [cpu, *(own if plan.site.cluster.metrics else [])],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": _CALM_SECONDS}},
    }
    return thing("autoscaling/v2", "HorizontalPodAutoscaler", metadata(plan, name, component), spec=spec)


def _pods(name: str, average: str) -> Object:
    return {
        "type": "Pods",
        "pods": {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": average}},
    }
