"""The passwords and the first token of a container stack: made once into folders, each its reader's alone."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

GATEWAY: Final = "gateway"
POSTGRES: Final = "postgres"
VALKEY: Final = "valkey"
PROMETHEUS: Final = "prometheus"
_READABLE: Final = 0o444
"""Whoever mounts a folder may read it: its reader runs under a uid of its own image."""


def ensure_secrets(folder: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> tuple[Path, ...]:
    """The files that were missing under `folder`, made now. What is there is kept, so that a restart changes nothing.

    `postgres/password`, `valkey/valkey.conf`, `gateway/{api_key,database_url,redis_url}` and, the same token once more,
    `prometheus/api_key`. Where one is gone, what repeats it is made anew as well. Raises OSError.
    """
    password, made = _ensure(folder / POSTGRES / "password", make)
    key, made_key = _ensure(folder / VALKEY / "valkey.conf", lambda: _valkey_conf(make()))
    secret = key.split("requirepass ")[1].split()[0]
    wanted = {
        "api_key": lambda: "sk-nexus-" + make(),
        "database_url": lambda: f"postgresql://nexus:{password}@postgres:5432/nexus",
        "redis_url": lambda: f"redis://:{secret}@valkey:6379/0",
    }
    stale = {"database_url": made, "redis_url": made_key}
    new = [path for path, is_new in (("postgres/password", made), ("valkey/valkey.conf", made_key)) if is_new]
    for name, text in wanted.items():
        if stale.get(name):
            (folder / GATEWAY / name).unlink(missing_ok=True)
        if _ensure(folder / GATEWAY / name, text)[1]:
            new.append(f"{GATEWAY}/{name}")
    token, copy = (folder / GATEWAY / "api_key").read_text(encoding="ascii").strip(), folder / PROMETHEUS / "api_key"
    if copy.exists() and copy.read_text(encoding="ascii").strip() != token:
        copy.unlink()
    if _ensure(copy, lambda: token)[1]:
        new.append(f"{PROMETHEUS}/api_key")
    return tuple(folder / path for path in new)


def _valkey_conf(password: str) -> str:
    return f'bind * -::*\nprotected-mode yes\nsave ""\nappendonly no\nrequirepass {password}'


def _ensure(path: Path, make: Callable[[], str]) -> tuple[str, bool]:
    """The text of a file, and whether it had to be made."""
    if path.exists():
        return path.read_text(encoding="ascii").strip(), False
    text = make()
    draft = path.with_name(f".{path.name}.draft")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(text + "\n", encoding="ascii")
    draft.chmod(_READABLE)
    draft.replace(path)
    return text, True
