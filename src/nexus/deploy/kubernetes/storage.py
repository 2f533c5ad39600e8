"""Volumes: claims that outlive pods, and folders that end with them."""

from collections.abc import Sequence
from typing import Final

from nexus.deploy.kubernetes.objects import Object, metadata, present, thing
from nexus.deploy.plan import Plan, Unit, Volume

CACHE_PATH: Final = "/var/cache/nexus"
TEMPORARY_PATH: Final = "/tmp"  # noqa: S108
_TEMPORARY_SIZE: Final = "4Gi"


def copies(unit: Unit) -> int:
    """How many pods of a service there may be at once."""
    return max(unit.replicas, unit.max_replicas or 1)


def volumes_of(unit: Unit) -> tuple[Volume, ...]:
    """A service's claims: its own, and a cache of models where it may fetch any."""
    cache = (Volume(f"{unit.folder}-cache", CACHE_PATH),) if unit.egress else ()
    return (*unit.volumes, *cache)


def claims(plan: Plan, component: str, volumes: Sequence[Volume], shared: bool, namespace: str) -> list[Object]:
    """A claim for each volume. `shared`: pods on several nodes mount it, so the storage has to allow that."""
    access = "ReadWriteMany" if shared else "ReadWriteOnce"
    return [claim(plan, volume.name, component, plan.site.cluster.models_disk, access, namespace) for volume in volumes]


def claim(plan: Plan, name: str, component: str, size: str, access: str, namespace: str | None = None) -> Object:
    """One PersistentVolumeClaim."""
    spec = {
        "accessModes": [access],
        **claim_class(plan),
        "resources": {"requests": {"storage": size}},
    }
    return thing("v1", "PersistentVolumeClaim", metadata(plan, name, component, namespace), spec=spec)


def claim_class(plan: Plan) -> Object:
    """The storage class, where one is named."""
    return present(storageClassName=plan.site.cluster.storage_class)


def temporary(name: str, size: str = _TEMPORARY_SIZE) -> Object:
    """A folder that is empty when the pod starts and gone when it ends; a pod that fills it up is ended."""
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def claimed(volume: Volume) -> Object:
    """A claim as a volume of a pod."""
    source = {"claimName": volume.name, **({"readOnly": True} if volume.read_only else {})}
    return {"name": volume.name, "persistentVolumeClaim": source}


def mount(volume: Volume) -> Object:
    """A volume as a container has it."""
    return {"name": volume.name, "mountPath": volume.path, **({"readOnly": True} if volume.read_only else {})}


def secret_files(name: str, secrets: Sequence[tuple[str, str, str]]) -> Object:
    """Secrets as files: (Secret, its key, the file's name), for the pod's group alone."""
    sources = [{"secret": {"name": secret, "items": [{"key": key, "path": path}]}} for secret, key, path in secrets]
    return {"name": name, "projected": {"defaultMode": 0o440, "sources": sources}}
