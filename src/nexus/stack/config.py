"""The stack file: which folders are services, and what the operator overrides."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

STACK_FILE: Final = "stack.toml"
MANIFEST: Final = "service.toml"

Extra = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class StackError(ValueError):
    """The stack cannot be started as it is written; the message is one line for the operator."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("env", mode="before", check_fields=False)
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """`THREADS = 2` and `FAST = true` are written without quotes in TOML, but an environment holds text."""
        if not isinstance(value, dict):
            return value
        plain = {True: "true", False: "false"}
        return {
            name: plain[item] if isinstance(item, bool) else str(item) if isinstance(item, int | float) else item
            for name, item in value.items()
        }


class ServiceOverride(_Part):
    """What the operator says about one service. `port` is the first replica's; the others take the ports after it.

    Each of the `extras` has the requirements in the service's `requirements-<extra>.txt` installed as well.
    """

    port: int | None = Field(default=None, ge=1, le=65535)
    env: Mapping[Variable, str] = {}
    replicas: int = Field(default=1, ge=0, le=64)
    extras: tuple[Extra, ...] = ()


class _Gateway(_Part):
    env: Mapping[Variable, str] = {}


class _Services(_Part):
    """`profiles`: services whose manifest names a profile are started where it is one of these, or where the file
    has a table for them."""

    services: tuple[str, ...] = ("services/*",)
    profiles: tuple[str, ...] = ()


class Stack(_Part):
    """A validated stack file. `roots` are the folders from which the patterns in `stack.services` start."""

    stack: _Services = _Services()
    gateway: _Gateway = _Gateway()
    service: Mapping[str, ServiceOverride] = {}
    roots: tuple[Path, ...] = ()

    def override(self, name: str) -> ServiceOverride:
        """What the file says of the service `name`; defaults where it says nothing."""
        return self.service.get(name, ServiceOverride())

    def folders(self) -> tuple[Path, ...]:
        """The folders of the services that the stack is to run, sorted: all but those of a profile not asked for."""
        return tuple(folder for folder in self.every_folder() if self._is_wanted(folder))

    def _is_wanted(self, folder: Path) -> bool:
        profile = profile_of(folder)
        return profile is None or profile in self.stack.profiles or folder.name in self.service

    def every_folder(self) -> tuple[Path, ...]:
        """The service folders there are now, sorted. In a later root a folder of the same name hides an earlier one."""
        found: dict[str, Path] = {}
        for root in self.roots:
            for pattern in self.stack.services:
                for manifest in sorted(root.glob(f"{pattern}/{MANIFEST}")):
                    found[manifest.parent.name] = manifest.parent.resolve()
        return tuple(found[name] for name in sorted(found))


def profile_of(folder: Path) -> str | None:
    """The profile that a service's manifest names, None where it names none or cannot be read: that is told later."""
    try:
        profile = tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8"))["deploy"]["profile"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return profile if isinstance(profile, str) else None


def read_stack(path: Path, *more_roots: Path) -> Stack:
    """Read a stack file. Its patterns start from its own folder and from `more_roots`. Raises StackError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StackError(f"{path}: {error}") from error
    if "roots" in values:
        raise StackError(f"{path}: roots: Extra inputs are not permitted")
    try:
        stack = Stack.model_validate({**values, "roots": (path.resolve().parent, *more_roots)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StackError(f"{path}: {where}: {first['msg']}") from error
    for pattern in stack.stack.services:
        if not pattern or Path(pattern).is_absolute():
            raise StackError(f"{path}: stack.services: {pattern!r} must be a pattern relative to the file's folder")
    return stack


def find_stack(folder: Path, checkout: Path | None) -> Stack:
    """The stack of a working folder: its own stack file, else the one that comes with Nexus.

    `checkout` is the source tree that Nexus runs from, None for an installed package. With the stack that comes with
    Nexus, services in the working folder are found beside the bundled ones. Raises StackError.
    """
    own = folder / STACK_FILE
    if own.exists():
        return read_stack(own)
    bundled = checkout / STACK_FILE if checkout else Path(str(files("nexus"))) / "bundled" / STACK_FILE
    if not bundled.exists():
        raise StackError(f"no {STACK_FILE} in {folder}, and this installation brings none")
    return read_stack(bundled, folder.resolve())
