"""The administrator's token of a gateway that was told none: made once, and kept in the state folder."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from nexus.gateway.settings import SettingsError


def ensure_api_key(state: Path, make: Callable[[], str] = lambda: "sk-nexus-" + secrets.token_urlsafe(32)) -> str:
    """The administrator's token from `api_key` in the state folder; made there, for its owner alone, if missing.

    Of several processes that start at once, one makes it and all get the same. Raises SettingsError.
    """
    path = state / "api_key"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _publish_secret(path, make())
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"NEXUS_API_KEY: {path} can be neither read nor made: {error}") from error
    if not key:
        raise SettingsError(f"NEXUS_API_KEY: {path} is empty; delete it to have a new key made")
    return key


def _publish_secret(path: Path, secret: str) -> None:
    """Put a whole file in place that only its owner can read, unless another process was faster."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
