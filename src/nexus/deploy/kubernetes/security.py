"""What a container may do: nothing, by Pod Security's "restricted"; and the little that engines' own images need."""

from typing import Final

from nexus.deploy.kubernetes.objects import Object
from nexus.deploy.plan import Plan

USER: Final = 10001
"""The uid and gid of Nexus' own images."""

STORE_USER: Final = 999
"""The uid and gid of the server in PostgreSQL's and Valkey's official images (those made from Debian)."""

_ENGINE_CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What an image's entrypoint needs that starts as root, hands its volumes to a user and becomes that user."""


def pod_security(user: int) -> Object:
    """The `securityContext` of a pod that runs as `user`, and whose volumes that user may write."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """The `securityContext` of a container of Nexus' own, or of a store."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def engine_pod_security() -> Object:
    """The `securityContext` of an engine's pod: the image's own user."""
    return {"seccompProfile": {"type": "RuntimeDefault"}}


def engine_container_security() -> Object:
    """The `securityContext` of an engine's container: root where its image says so, but with few of root's rights.

    Engines write where they like in their own file system, so that is not read-only.
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": list(_ENGINE_CAPABILITIES)},
    }


def namespace(plan: Plan, name: str, level: str) -> Object:
    """A namespace in which nothing runs that Pod Security's `level` does not allow."""
    labels = {"app.kubernetes.io/part-of": plan.site.site.name}
    for mode in ("enforce", "audit", "warn"):
        labels[f"pod-security.kubernetes.io/{mode}"] = level
        labels[f"pod-security.kubernetes.io/{mode}-version"] = "latest"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
