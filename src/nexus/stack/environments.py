"""A virtual environment for each service, made by uv beside the stack's state and kept until its making changes."""

import fcntl
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nexus.stack.config import StackError
from nexus.stack.distribution import Sdk, running_sdk
from nexus.stack.state import read_json
from nexus.stack.uv import Progress, Uv

REQUIREMENTS: Final = "requirements.txt"
NO_DEPS_REQUIREMENTS: Final = "requirements-nodeps.txt"
_MARKER: Final = ".nexus-complete"
_LOCK_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that goes into a service's environment: the service's folder (absolute), the SDK, a further file of
    requirements, and those of the service's own extras that are wanted."""

    folder: Path
    sdk: Sdk
    extra: Path | None = None
    extras: tuple[str, ...] = ()

    def requirement_files(self) -> tuple[Path, ...]:
        """The requirement files that are installed with their dependencies. Raises StackError."""
        own = tuple(self._extra_file(name) for name in dict.fromkeys(self.extras))
        files = (self.folder / REQUIREMENTS, *own, self.extra)
        return tuple(file for file in files if file and file.exists())

    def _extra_file(self, name: str) -> Path:
        file = self.folder / f"requirements-{name}.txt"
        if not file.is_file():
            raise StackError(f"the extra {name!r} of the service {self.folder.name}: there is no {file}")
        return file

    def without_dependencies(self) -> Path | None:
        """The requirement file that is installed without dependencies, if the service has one."""
        file = self.folder / NO_DEPS_REQUIREMENTS
        return file if file.exists() else None

    def digest(self) -> str:
        """Twelve hex digits that change with everything that would change the environment.

        Raises OSError and StackError.
        """
        digest = hashlib.sha256()
        for part in (str(self.folder), sys.version, sys.base_prefix, self.sdk.fingerprint):
            digest.update(part.encode() + b"\0")
        for file in (*self.requirement_files(), self.without_dependencies()):
            if file:
                digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a service's environment lies; its path tells all that went into it."""

    path: Path

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def complete(self) -> bool:
        """Whether it was made to its end (the marker is written last) and its interpreter is still there."""
        return (self.path / _MARKER).exists() and self.python.exists()


def environment_of(recipe: Recipe, state: Path) -> Environment:
    """The environment that fits a recipe, whether it exists or not: one that exists needs no other check."""
    return Environment(state.resolve() / "envs" / f"{recipe.folder.name}-{recipe.digest()}")


def ensure_environment(
    folder: Path,
    state: Path,
    on_progress: Progress = lambda _: None,
    *,
    uv: Uv | None = None,
    extra: Path | None = None,
    extras: tuple[str, ...] = (),
) -> Path:
    """The interpreter of the environment of the service in `folder`, made under `state` if it is not there yet.

    It holds the SDK as it is installed here, the service's requirements, those of its `extras` and those of the file
    `extra`. A complete one is found without network and without a resolver. Environments that it replaces are removed.
    `on_progress` is called with uv's lines, in the caller's thread. Raises UvError, OSError and StackError.
    """
    recipe = Recipe(folder.resolve(), running_sdk(), extra, extras)
    environment = environment_of(recipe, state)
    if environment.complete:
        return environment.python
    environment.path.parent.mkdir(parents=True, exist_ok=True)
    uv = uv or Uv()
    with _locked(environment.path.parent / f"{recipe.folder.name}.lock", uv, on_progress):
        if not environment.complete:
            _make(environment, recipe, on_progress, partial(uv.run, cwd=recipe.folder))
            _remove_others(environment.path)
    return environment.python


def _make(environment: Environment, recipe: Recipe, on_progress: Progress, run: Callable[..., None]) -> None:
    shutil.rmtree(environment.path, ignore_errors=True)
    on_progress("making the environment")
    run(["venv", "--quiet", "--no-project", "--python", sys.executable, str(environment.path)], on_progress=on_progress)
    install = ["pip", "install", "--python", str(environment.python)]
    wanted = recipe.sdk.install_arguments(environment.path.parent / "sdk")
    for file in recipe.requirement_files():
        wanted += ["-r", str(file)]
    run([*install, *wanted], on_progress=on_progress)
    if bare := recipe.without_dependencies():
        run([*install, "--no-deps", "-r", str(bare)], on_progress=on_progress)
    marker = {"folder": str(recipe.folder), "python": sys.version.split()[0], "sdk": recipe.sdk.installed.version}
    (environment.path / _MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")


def _remove_others(kept: Path) -> None:
    """Remove the environments that `kept` replaces, half-made ones too: the lock says that nobody is making them."""
    name = kept.name.rpartition("-")[0]
    own = _folder_of(kept)
    for other in kept.parent.iterdir():
        replaced = other != kept and re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{12}}", other.name)
        if replaced and _folder_of(other) in (own, None):
            shutil.rmtree(other, ignore_errors=True)


def _folder_of(environment: Path) -> str | None:
    """The service folder that an environment was made for; None if it was never completed."""
    marker = read_json(environment / _MARKER)
    return marker.get("folder") if isinstance(marker, dict) else None


@contextmanager
def _locked(path: Path, uv: Uv, on_progress: Progress) -> Iterator[None]:
    with path.open("w") as file:
        while not _try_lock(file.fileno()):
            on_progress("waiting for another process that makes this environment")
            uv.wait(_LOCK_POLL_SECONDS)
        yield


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
