"""PostgreSQL and Valkey, which only the gateway reaches; their passwords are files of theirs alone."""

from typing import Final

from nexus.deploy.compose.container import STORES, Part, contained
from nexus.deploy.compose.gateway import KEYS_FOLDER
from nexus.deploy.plan import Plan
from nexus.deploy.secrets import POSTGRES, VALKEY

POSTGRES_IMAGE: Final = "postgres:17-bookworm"
VALKEY_IMAGE: Final = "valkey/valkey:8-bookworm"
_STORE_USER: Final = "999:999"
"""The uid and gid of the server in both official images: started as this one, they need no right to change to it."""

_CHECKED: Final = {"interval": "5s", "timeout": "5s", "retries": 12}


def postgres(plan: Plan) -> Part:
    """The database. Its files are in a volume; the password is read when that is first filled."""
    part = plan.site.postgres
    tmpfs = {"/tmp": "mode=1777", "/var/run/postgresql": "uid=999,gid=999,mode=0775"}  # noqa: S108
    return {
        "image": part.image or POSTGRES_IMAGE,
        **contained(_STORE_USER, part.memory_mb, round(1024 * part.cpu), tmpfs=tmpfs),
        "stop_grace_period": "60s",
        "shm_size": "128m",
        "depends_on": {"keys": {"condition": "service_completed_successfully"}},
        "environment": {
            "POSTGRES_USER": "nexus",
            "POSTGRES_DB": "nexus",
            "POSTGRES_PASSWORD_FILE": f"{KEYS_FOLDER}/{POSTGRES}/password",
            "PGDATA": "/var/lib/postgresql/data/pgdata",
        },
        "healthcheck": {
            "test": ["CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "nexus", "-d", "nexus"],
            **_CHECKED,
        },
        "volumes": ["postgres:/var/lib/postgresql/data", f"{POSTGRES}-keys:{KEYS_FOLDER}/{POSTGRES}:ro"],
        "networks": [STORES],
    }


def valkey(plan: Plan) -> Part:
    """Limits and leases that several gateways share: kept in memory, so nothing is lost that matters when it ends."""
    part = plan.site.valkey
    return {
        "image": part.image or VALKEY_IMAGE,
        **contained(_STORE_USER, part.memory_mb, round(1024 * part.cpu)),
        "depends_on": {"keys": {"condition": "service_completed_successfully"}},
        "command": ["valkey-server", f"{KEYS_FOLDER}/{VALKEY}/valkey.conf"],
        "healthcheck": {"test": ["CMD-SHELL", "valkey-cli ping | grep -Eq 'PONG|NOAUTH'"], **_CHECKED},
        "working_dir": "/tmp",  # noqa: S108
        "volumes": [f"{VALKEY}-keys:{KEYS_FOLDER}/{VALKEY}:ro"],
        "networks": [STORES],
    }
