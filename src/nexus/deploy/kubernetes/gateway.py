"""The gateway: the one workload that is reached from outside, and that reaches all others."""

from typing import Final

from nexus.deploy.kubernetes.objects import DISCOVERY, KEYS, Object, environment, metadata, selecting, thing
from nexus.deploy.kubernetes.security import USER, container_security, pod_security
from nexus.deploy.kubernetes.storage import TEMPORARY_PATH, claim, claimed, mount, secret_files, temporary
from nexus.deploy.kubernetes.workloads import PORT, deployment, placement, resources, service_account
from nexus.deploy.plan import PRIVATE_NETWORKS, SERVICE_PORT, Plan, Volume
from nexus.deploy.site import SiteError

NAME: Final = "gateway"
CONFIGURATION: Final = "nexus-config"
"""The ConfigMap that may hold a nexus.yaml; the gateway follows its changes."""

_FILES_URL: Final = "NEXUS_FILES_URL"
_STATE: Final = "/var/lib/nexus"
_FILES: Final = Volume("gateway-files", _STATE)
_KEYS: Final = "/run/nexus/gateway"
_CONFIGURATION: Final = "/etc/nexus"
_NOTICE: Final = 5
"""Seconds until nobody sends new connections to a pod that ends: the Endpoints and whoever reads them lag."""

_GRACE: Final = 30
"""Seconds for the notice, the ten that running requests get, and the rest."""


def gateway_objects(plan: Plan) -> list[Object]:
    """The gateway's own objects. Raises SiteError where the site does not fit a cluster."""
    check(plan)
    account = service_account(plan, NAME, NAME)
    service = {
        "type": "ClusterIP",
        "selector": selecting(plan, NAME),
        "ports": [{"name": PORT, "port": plan.site.gateway.port, "targetPort": PORT}],
    }
    shared = plan.site.cluster.files_access
    files = [] if in_bucket(plan) else [claim(plan, _FILES.name, NAME, plan.site.cluster.files_disk, shared)]
    return [account, *files, _deployment(plan), thing("v1", "Service", metadata(plan, NAME, NAME), spec=service)]


def in_bucket(plan: Plan) -> bool:
    """Whether the gateway's files are in a bucket rather than in a volume."""
    return plan.site.gateway.env.get(_FILES_URL, "").startswith("s3://")


def copies(plan: Plan) -> int:
    """How many gateways there may be at once."""
    return max(plan.site.gateway.replicas, plan.site.gateway.max_replicas or 1)


def check(plan: Plan) -> None:
    """Refuses what would not work in a cluster. Raises SiteError."""
    gateway, cluster = plan.site.gateway, plan.site.cluster
    if _FILES_URL in gateway.env and not in_bucket(plan):
        raise SiteError(f"gateway.env.{_FILES_URL}: in a cluster it is s3://bucket/prefix, or left out for a volume")
    if copies(plan) > 1 and not in_bucket(plan) and cluster.files_access != "ReadWriteMany":
        raise SiteError(
            "gateway.replicas: more than one gateway needs files that all of them reach: set "
            f'gateway.env.{_FILES_URL} to s3://bucket/prefix, or cluster.files_access to "ReadWriteMany"'
        )


def _deployment(plan: Plan) -> Object:
    gateway = plan.site.gateway
    files = [temporary(_FILES.name)] if in_bucket(plan) else [claimed(_FILES)]
    spec = {
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": pod_security(USER),
        **placement(plan, NAME, None),
        "containers": [_container(plan)],
        "volumes": [
            temporary("tmp"),
            *files,
            secret_files("keys", [(secret, key, name) for name, secret, key in _secrets(plan).values()]),
            {"name": "configuration", "configMap": {"name": CONFIGURATION, "optional": True}},
        ],
    }
    replicas = None if gateway.max_replicas else gateway.replicas
    alone = not in_bucket(plan) and plan.site.cluster.files_access == "ReadWriteOnce"
    return deployment(plan, NAME, NAME, replicas, spec, surge=not alone)


def _container(plan: Plan) -> Object:
    gateway = plan.site.gateway
    health, ready = {"path": "/health", "port": PORT}, {"path": "/readyz", "port": PORT}
    return {
        "name": NAME,
        "image": plan.gateway_image,
        "workingDir": _CONFIGURATION,
        "env": [
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            *environment(_values(plan)),
        ],
        "ports": [{"name": PORT, "containerPort": gateway.port}],
        "startupProbe": {"httpGet": health, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 60},
        "livenessProbe": {"httpGet": health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "timeoutSeconds": 5},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_NOTICE)]}}},
        "resources": resources(gateway.cpu, gateway.memory_mb),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": TEMPORARY_PATH},
            mount(_FILES),
            {"name": "keys", "mountPath": _KEYS, "readOnly": True},
            {"name": "configuration", "mountPath": _CONFIGURATION, "readOnly": True},
        ],
    }


def _values(plan: Plan) -> dict[str, str]:
    """The gateway's variables. Services ask the very gateway back that asked them: a token on loan is known to it
    alone, so what they are told is the pod's own address and not the Service's."""
    gateway = plan.site.gateway
    public = gateway.public_url or _public_url(plan)
    return {
        "NEXUS_HOST": "0.0.0.0",
        "NEXUS_PORT": str(gateway.port),
        **{f"{variable}_FILE": f"{_KEYS}/{name}" for variable, (name, _, _) in _secrets(plan).items()},
        **({} if in_bucket(plan) else {_FILES_URL: f"file://{_STATE}/files"}),
        "NEXUS_DISCOVERY_DNS": f"{DISCOVERY}:{SERVICE_PORT}",
        "NEXUS_ADVERTISED_URL": f"http://$(POD_IP):{gateway.port}",
        **({"NEXUS_METRICS_ALLOW": PRIVATE_NETWORKS} if plan.site.cluster.metrics else {}),
        **({"NEXUS_PUBLIC_URL": public} if public else {}),
        **({"NEXUS_SERVICES": ",".join(plan.elsewhere)} if plan.elsewhere else {}),
        **gateway.env,
    }


def _public_url(plan: Plan) -> str | None:
    cluster, host = plan.site.cluster, plan.site.gateway.host
    if host is None or not (cluster.ingress_class or cluster.gateway_class):
        return None
    return f"{'https' if cluster.tls_secret else 'http'}://{host}"


def _secrets(plan: Plan) -> dict[str, tuple[str, str, str]]:
    """The secret variables: by name the file that holds it, the Secret, and the key in that."""
    site = plan.site
    postgres, valkey, bucket = site.postgres.external_secret, site.valkey.external_secret, site.cluster.s3_secret
    found = {
        "NEXUS_API_KEY": ("api_key", KEYS, "api_key"),
        "NEXUS_DATABASE_URL": ("database_url", *((postgres, "url") if postgres else (KEYS, "database_url"))),
        "NEXUS_REDIS_URL": ("redis_url", *((valkey, "url") if valkey else (KEYS, "redis_url"))),
    }
    if bucket and in_bucket(plan):
        found["NEXUS_S3_ACCESS_KEY_ID"] = ("s3_access_key_id", bucket, "access-key-id")
        found["NEXUS_S3_SECRET_ACCESS_KEY"] = ("s3_secret_access_key", bucket, "secret-access-key")
    return found
