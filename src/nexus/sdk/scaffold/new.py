"""Writes a new service folder from the template."""

import re
import shutil
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Final

from nexus.sdk.problems import ServiceError

SUFFIX: Final = ".tmpl"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_TAKEN: Final = ("admin", "agents", "jobs", "metadata", "models", "registry", "services", "tools")
_LONGEST: Final = 48


def new_service(name: str, parent: Path) -> Path:
    """Write the folder `parent/name` and return it. Raises ServiceError; then nothing was left behind."""
    words = substitutions(name)
    folder = parent / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ServiceError(f"{folder}: is already there") from error
    except OSError as error:
        raise ServiceError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        _write(files(__package__).joinpath("template"), folder, words)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ServiceError(f"{folder}: cannot be written: {error.strerror}") from error
    return folder


def destination(working: Path) -> Path:
    """Where new services go when nobody says: `services` of the working directory if it is there, else itself."""
    services = working / "services"
    return services if services.is_dir() else working


def substitutions(name: str) -> dict[str, str]:
    """What stands in the template for a service of that name. Raises ServiceError."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ServiceError(
            f"{name!r}: a service's name is lower-case letters, digits and single dashes, begins with a letter and has "
            f"at most {_LONGEST} characters"
        )
    if name in _TAKEN:
        raise ServiceError(f"{name!r}: /v1/{name} is the gateway's own; choose another name")
    identifier = name.replace("-", "_")
    return {
        "name": name,
        "identifier": identifier,
        "variable": identifier.upper(),
        "title": " ".join(word.capitalize() for word in re.split("[-_]", name)),
        "cls": "".join(word.capitalize() for word in re.split("[-_]", name)),
    }


def _write(source: Traversable, target: Path, words: dict[str, str]) -> None:
    for item in source.iterdir():
        if item.is_dir():
            (target / item.name).mkdir()
            _write(item, target / item.name, words)
        elif item.name.endswith(SUFFIX):
            text = Template(item.read_text(encoding="utf-8")).substitute(words)
            (target / item.name.removesuffix(SUFFIX)).write_text(text, encoding="utf-8")
