"""Deployments: a service's pods, and those of an engine beside it."""

from math import ceil
from typing import Any, Final

from nexus.deploy.kubernetes.mesh import pod_annotations, pod_labels
from nexus.deploy.kubernetes.objects import (
    EGRESS_LABEL,
    SERVICE_LABEL,
    USES_LABEL,
    Object,
    cpu,
    engines,
    environment,
    metadata,
    present,
    selecting,
    thing,
)
from nexus.deploy.kubernetes.security import (
    USER,
    container_security,
    engine_container_security,
    engine_pod_security,
    pod_security,
)
from nexus.deploy.kubernetes.storage import (
    CACHE_PATH,
    TEMPORARY_PATH,
    claimed,
    mount,
    temporary,
    volumes_of,
)
from nexus.deploy.plan import DRAIN, SERVICE_PORT, Engine, Gpu, Plan, Unit, wanted_drain

PORT: Final = "http"
_DRAIN_SECONDS: Final = 30.0
_AFTER_DRAIN: Final = 15
"""Seconds for what comes after a drain: stopping what is left, unloading, writing the last lines."""

_MODELS: Final = "/models"
_ENGINE_GRACE: Final = 30
GPU_RESOURCE: Final = {"nvidia": "nvidia.com/gpu", "rocm": "amd.com/gpu"}


def service_deployment(plan: Plan, unit: Unit) -> Object:
    """A service's Deployment. Only the gateway decides where calls go, by what it sees of each pod itself."""
    labels = {
        SERVICE_LABEL: "true",
        **({USES_LABEL: "true"} if unit.uses else {}),
        **({EGRESS_LABEL: "true"} if unit.egress else {}),
    }
    volumes = volumes_of(unit)
    spec = {
        "terminationGracePeriodSeconds": grace(unit),
        "securityContext": pod_security(USER),
        **placement(plan, unit.folder, unit.gpu, unit),
        "containers": [_service_container(plan, unit)],
        "volumes": [
            temporary("tmp"),
            *([] if unit.egress else [temporary("cache")]),
            *map(claimed, volumes),
        ],
    }
    return deployment(
        plan,
        unit.folder,
        "service",
        None if unit.max_replicas else unit.replicas,
        spec,
        labels=labels,
        surge=not (unit.gpu or volumes),
    )


def engine_deployment(plan: Plan, unit: Unit, engine: Engine) -> Object:
    """An engine's Deployment, in the namespace of engines: one pod, which ends before its successor starts."""
    port = {"path": engine.health, "port": PORT}
    container = {
        "name": "engine",
        "image": engine.image,
        **present(args=list(engine.command) or None, env=environment(engine.env) or None),
        "ports": [{"name": PORT, "containerPort": engine.port}],
        "startupProbe": {"httpGet": port, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 120},
        "livenessProbe": {"httpGet": port, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 12},
        "readinessProbe": {"httpGet": port, "periodSeconds": 5, "timeoutSeconds": 5},
        "resources": resources(engine.cpu, engine.memory_mb, engine.gpu),
        "securityContext": engine_container_security(),
        **present(volumeMounts=[mount(volume) for volume in engine.volumes] or None),
    }
    spec = {
        "terminationGracePeriodSeconds": _ENGINE_GRACE,
        "securityContext": engine_pod_security(),
        **placement(plan, engine.name, engine.gpu, unit),
        "containers": [container],
        **present(volumes=[claimed(volume) for volume in engine.volumes] or None),
    }
    return deployment(plan, engine.name, "engine", 1, spec, namespace=engines(plan), surge=False)


def deployment(
    plan: Plan,
    name: str,
    component: str,
    replicas: int | None,
    spec: Object,
    *,
    namespace: str | None = None,
    labels: dict[str, str] | None = None,
    surge: bool = True,
) -> Object:
    """A Deployment; `replicas` None leaves their number to an autoscaler.

    `surge`: a new pod is ready before an old one ends; where not (a GPU or a volume is theirs in turn), it is after.
    """
    steps = {"maxSurge": 1, "maxUnavailable": 0} if surge else {"maxSurge": 0, "maxUnavailable": 1}
    body = {
        **present(replicas=replicas),
        "selector": {"matchLabels": selecting(plan, name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": steps},
        "template": pod_template(plan, name, component, spec, labels or {}),
    }
    return thing("apps/v1", "Deployment", metadata(plan, name, component, namespace), spec=body)


def pod_template(plan: Plan, name: str, component: str, spec: Object, labels: dict[str, str] | None = None) -> Object:
    """A pod: without a token for the cluster's API, and without the variables that tell of every Service.

    A Service of the name `nexus` would set NEXUS_SERVICE_PORT, which means something else here.
    """
    told = {**metadata(plan, name, component)["labels"], **(labels or {}), **pod_labels(plan)}
    annotations = pod_annotations(plan, spec["terminationGracePeriodSeconds"])
    return {
        "metadata": {"labels": told, **present(annotations=annotations or None)},
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            **spec,
        },
    }


def service_account(plan: Plan, name: str, component: str, namespace: str | None = None) -> Object:
    """An identity of the workload's own, for a mesh; no pod gets its token."""
    where = metadata(plan, name, component, namespace)
    return thing("v1", "ServiceAccount", where, automountServiceAccountToken=False)


def placement(plan: Plan, name: str, gpu: Gpu | None, unit: Unit | None = None) -> Object:
    """Where pods run: apart from one another if that can be, on the nodes that the site names, beside a GPU."""
    tolerations = [{"key": GPU_RESOURCE[gpu.kind], "operator": "Exists", "effect": "NoSchedule"}] if gpu else None
    return {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selecting(plan, name)},
            }
        ],
        **present(nodeSelector=dict(unit.node) or None if unit else None, tolerations=tolerations),
    }


def resources(cores: float, memory_mb: int, gpu: Gpu | None = None) -> Object:
    """Requests and limits. Memory is not overcommitted: what is asked for is what there is.

    Processors have no limit: one throttled in the middle of a token makes a caller wait while cores idle; the request
    weighs pods against one another where cores are scarce.
    """
    given = {GPU_RESOURCE[gpu.kind]: gpu.count} if gpu else {}
    memory = f"{memory_mb}Mi"
    return {
        "requests": {"cpu": cpu(cores), "memory": memory, "ephemeral-storage": "256Mi", **given},
        "limits": {"memory": memory, "ephemeral-storage": "8Gi", **given},
    }


def drain_seconds(unit: Unit) -> float:
    """How long a service's running calls may go on at its end. Raises SiteError."""
    return wanted_drain(unit, _DRAIN_SECONDS)


def grace(unit: Unit) -> int:
    """How long a service's pod has to end, in seconds. Raises SiteError."""
    return ceil(drain_seconds(unit)) + _AFTER_DRAIN


def engine_url(plan: Plan, engine: Engine) -> str:
    """Where a service finds its engine, which is in another namespace."""
    return f"http://{engine.name}.{engines(plan)}:{engine.port}"


def service_environment(plan: Plan, unit: Unit) -> list[Any]:
    """A service's variables. Secret ones come from a Secret of its own, which need not be there."""
    values = {
        "NEXUS_SERVICE_HOST": "0.0.0.0",
        "NEXUS_SERVICE_PORT": str(SERVICE_PORT),
        "NEXUS_MODELS_CACHE": CACHE_PATH,
        **({"NEXUS_MODELS_DIR": _MODELS} if any(volume.path == _MODELS for volume in unit.volumes) else {}),
        **unit.env,
        DRAIN: f"{drain_seconds(unit):g}",
    }
    if unit.engine:
        where = engine_url(plan, unit.engine)
        values = {name: where if value == unit.engine.url else value for name, value in values.items()}
    named = {"name": "NEXUS_SERVICE_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": f"{unit.folder}-secrets", "key": name, "optional": True}}}
        for name in unit.secrets
    ]
    return [*environment(values), named, *secret]


def _service_container(plan: Plan, unit: Unit) -> Object:
    """Liveness is patient: a service that computes on every core answers late, and to end it would help nobody."""
    health, ready = {"path": "/health", "port": PORT}, {"path": "/readyz", "port": PORT}
    cache = [] if unit.egress else [{"name": "cache", "mountPath": CACHE_PATH}]
    return {
        "name": "service",
        "image": unit.image,
        "env": service_environment(plan, unit),
        "ports": [{"name": PORT, "containerPort": SERVICE_PORT}],
        "startupProbe": {"httpGet": health, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 60},
        "livenessProbe": {"httpGet": health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {"httpGet": ready, "periodSeconds": 5, "timeoutSeconds": 5},
        "resources": resources(unit.cpu, unit.memory_mb, unit.gpu),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": TEMPORARY_PATH},
            *cache,
            *(mount(volume) for volume in volumes_of(unit)),
        ],
    }
