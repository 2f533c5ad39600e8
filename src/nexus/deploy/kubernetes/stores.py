"""PostgreSQL and Valkey where they run in the cluster: one pod each, which only the gateway reaches."""

from typing import Final

from nexus.deploy.kubernetes.objects import KEYS, Object, metadata, present, selecting, thing
from nexus.deploy.kubernetes.security import STORE_USER, container_security, pod_security
from nexus.deploy.kubernetes.storage import TEMPORARY_PATH, claim_class, secret_files, temporary
from nexus.deploy.kubernetes.workloads import pod_template, resources, service_account
from nexus.deploy.plan import Plan
from nexus.deploy.site import StorePart

POSTGRES: Final = "postgres"
VALKEY: Final = "valkey"
POSTGRES_PORT: Final = 5432
VALKEY_PORT: Final = 6379
POSTGRES_IMAGE: Final = "postgres:17-bookworm"
VALKEY_IMAGE: Final = "valkey/valkey:8-bookworm"
_DATA: Final = "/var/lib/postgresql/data"
_POSTGRES_GRACE: Final = 60
_VALKEY_GRACE: Final = 10


def postgres_objects(plan: Plan) -> list[Object]:
    """The database; its files outlive it. None of it where the site names one elsewhere."""
    part = plan.site.postgres
    if part.external_secret is not None:
        return []
    ready = {"exec": {"command": ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "nexus", "-d", "nexus"]}}
    container = {
        "name": POSTGRES,
        "image": part.image or POSTGRES_IMAGE,
        "env": [
            {"name": "POSTGRES_USER", "value": "nexus"},
            {"name": "POSTGRES_DB", "value": "nexus"},
            {"name": "POSTGRES_PASSWORD_FILE", "value": "/run/nexus/postgres/password"},
            {"name": "PGDATA", "value": f"{_DATA}/pgdata"},
        ],
        "ports": [{"name": POSTGRES, "containerPort": POSTGRES_PORT}],
        "startupProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 60},
        "livenessProbe": {**ready, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 5},
        "resources": resources(part.cpu, part.memory_mb),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": POSTGRES, "mountPath": _DATA},
            {"name": "run", "mountPath": "/var/run/postgresql"},
            {"name": "tmp", "mountPath": TEMPORARY_PATH},
            {"name": "keys", "mountPath": "/run/nexus/postgres", "readOnly": True},
        ],
    }
    folders = [
        temporary("run", "16Mi"),
        temporary("tmp"),
        secret_files("keys", [(KEYS, "postgres_password", "password")]),
    ]
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        **claim_class(plan),
        "resources": {"requests": {"storage": part.disk}},
    }
    disk = {"metadata": {"name": POSTGRES}, "spec": wanted}
    return _store(plan, POSTGRES, POSTGRES_PORT, _POSTGRES_GRACE, container, folders, [disk])


def valkey_objects(plan: Plan) -> list[Object]:
    """What several gateways share for a while, in memory alone. None of it where the site names one elsewhere."""
    part = plan.site.valkey
    if part.external_secret is not None:
        return []
    answers = {"tcpSocket": {"port": VALKEY}}
    container = {
        "name": VALKEY,
        "image": part.image or VALKEY_IMAGE,
        "args": ["valkey-server", "/run/nexus/valkey/valkey.conf", "--maxmemory", _three_quarters(part)],
        "workingDir": TEMPORARY_PATH,
        "ports": [{"name": VALKEY, "containerPort": VALKEY_PORT}],
        "startupProbe": {**answers, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 30},
        "livenessProbe": {**answers, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {**answers, "periodSeconds": 5, "timeoutSeconds": 5},
        "resources": resources(part.cpu, part.memory_mb),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": TEMPORARY_PATH},
            {"name": "keys", "mountPath": "/run/nexus/valkey", "readOnly": True},
        ],
    }
    folders = [temporary("tmp"), secret_files("keys", [(KEYS, "valkey.conf", "valkey.conf")])]
    return _store(plan, VALKEY, VALKEY_PORT, _VALKEY_GRACE, container, folders, None)


def _three_quarters(part: StorePart) -> str:
    """The rest is for connections and for what the allocator cannot give back."""
    return f"{part.memory_mb * 3 // 4}mb"


def _store(
    plan: Plan,
    name: str,
    port: int,
    grace: int,
    container: Object,
    volumes: list[Object],
    disks: list[Object] | None,
) -> list[Object]:
    where = metadata(plan, name, "store")
    spec = {
        "terminationGracePeriodSeconds": grace,
        "securityContext": pod_security(STORE_USER),
        "containers": [container],
        "volumes": volumes,
    }
    body = {
        "serviceName": name,
        "replicas": 1,
        "selector": {"matchLabels": selecting(plan, name)},
        "template": pod_template(plan, name, "store", spec),
        **present(volumeClaimTemplates=disks),
    }
    service = {
        "clusterIP": "None",
        "selector": selecting(plan, name),
        "ports": [{"name": name, "port": port, "targetPort": name, "appProtocol": "tcp"}],
    }
    return [
        service_account(plan, name, "store"),
        thing("apps/v1", "StatefulSet", where, spec=body),
        thing("v1", "Service", where, spec=service),
    ]
