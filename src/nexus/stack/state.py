"""The `.nexus` folder of a working directory: where a stack keeps what outlives one run."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus.stack.config import StackError


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The places under one state folder. Nothing is made until it is needed."""

    root: Path

    @property
    def listing(self) -> Path:
        """The JSON file in which the gateway reads which services there are."""
        return self.root / "run" / "stack.json"

    @property
    def lock(self) -> Path:
        return self.root / "run" / "up.lock"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def models(self) -> Path:
        return self.root / "models"


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file as a whole: a reader sees the old text or the new one, never a part. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_json(path: Path) -> Any:
    """What a state file holds; None where it is missing or damaged, for state can always be made anew."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def ensure_secret(path: Path) -> str:
    """The secret in a file that only its owner can read; made on first use. Raises OSError."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        secret = ""
    if not secret:
        secret = secrets.token_urlsafe(32)
        write_atomically(path, secret + "\n", mode=0o600)
    return secret


@contextmanager
def only_one(state: StateFolder, url: str) -> Iterator[None]:
    """Hold the state folder for this process alone; it says under `url` where the running stack is to be reached.

    Raises StackError where another `nexus up` holds it. The lock is the kernel's: it goes with the process.
    """
    state.lock.parent.mkdir(parents=True, exist_ok=True)
    with state.lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = read_json(state.lock) or {}
            where = f" at {holder['url']} (process {holder['pid']})" if {"url", "pid"} <= holder.keys() else ""
            raise StackError(f"Nexus is already running here{where}") from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "url": url}, file)
        file.flush()
        yield
        file.truncate(0)
