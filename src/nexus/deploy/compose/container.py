"""What every container of the stack has: no rights, a read-only root, bounds, and logs that end somewhere."""

from collections.abc import Mapping
from typing import Any, Final

Part = dict[str, Any]

USER: Final = "10001:10001"
"""The uid and gid of Nexus' own images; numeric, so that no image has to know a name for it."""

FRONT: Final = "front"
SERVICES: Final = "services"
STORES: Final = "stores"
OUTSIDE: Final = "outside"
ALIAS: Final = "nexus-service"
_PIDS: Final = 512


def contained(user: str, memory_mb: int, shares: int, *, tmpfs: Mapping[str, str] | None = None) -> Part:
    """The keys that shut a container in. `tmpfs` are writable folders in memory, path by mount options.

    `shares` weighs containers against one another where processors are scarce, and takes nothing from one that is
    alone; a fixed limit would leave cores idle and, since engines choose their threads by the cores they see, starve
    them.
    """
    return {
        "restart": "unless-stopped",
        "init": True,
        "user": user,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": [f"{path}:{options}" for path, options in (tmpfs or {"/tmp": "mode=1777"}).items()],  # noqa: S108
        "mem_limit": f"{memory_mb}m",
        "pids_limit": _PIDS,
        "cpu_shares": shares,
        "logging": {"driver": "local", "options": {"max-size": "10m", "max-file": "3"}},
    }


def literal(text: str) -> str:
    """A value of a manifest or a site as Compose is to take it: it would put variables of the host for dollar signs."""
    return text.replace("$", "$$")


def build(target: str, **arguments: str) -> Part:
    """How an image of Nexus' own is built: the shared Dockerfile, its stage, and its arguments."""
    base = {"PYTHON_IMAGE": "${PYTHON_IMAGE:-python:3.11-slim-bookworm}"}
    return {
        "context": ".",
        "dockerfile": "deploy/Dockerfile",
        "target": target,
        "network": "${NEXUS_BUILD_NETWORK:-default}",
        "args": {**base, **arguments},
    }
