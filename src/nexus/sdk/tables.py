"""Reads a TOML file into its table, with one clear line where it cannot be."""

import tomllib
from pathlib import Path
from typing import Any

from nexus.sdk.problems import ManifestError


def read_table(file: Path) -> dict[str, Any]:
    """The file's table. Raises ManifestError where it cannot be read or is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(file, "", f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(file, "", f"is not TOML: {error}") from error
