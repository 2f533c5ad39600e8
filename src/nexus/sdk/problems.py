"""The errors with which a service's own files and environment are refused: always one line that names the place."""

from pathlib import Path

from pydantic import ValidationError


class ServiceError(ValueError):
    """Something a service's author or operator has to set right; the message is one line for them to read."""


class ManifestError(ServiceError):
    """A `service.toml` or a model's manifest entry that cannot be used; the message names the file and the key."""

    def __init__(self, file: Path, key: str, reason: str) -> None:
        super().__init__(f"{file}: {key}: {reason}" if key else f"{file}: {reason}")
        self.file = file
        self.key = key
        self.reason = reason


class SettingError(ServiceError):
    """An environment variable with a value that cannot be used; the message names the variable, never a secret."""


class ModelError(ServiceError):
    """A model whose files cannot be found, fetched or verified."""


def first_complaint(error: ValidationError) -> tuple[str, str]:
    """The key (dotted, list positions included) and the reason of the first thing that pydantic complains about."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
