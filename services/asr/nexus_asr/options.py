"""What a manifest entry's `[options]` may say to this engine."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Table):
    """One part of a file: where it lies in an installed package."""

    package: Annotated[str, Field(min_length=1)]
    file: Annotated[str, Field(min_length=1)]


class Joined(_Table):
    """A file that came in parts, in their order; `file` is its name in the model's folder, `sha256` the whole's."""

    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", to_lower=True)]
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]


class Options(_Table):
    """A model's own settings.

    `device` and `compute_type` are CTranslate2's. `window_seconds` is how much sound is listened to at a time: a window
    cannot be interrupted while it is, so less of it means a quicker stop and earlier first words, for more work in all.
    """

    device: Literal["cpu", "cuda", "auto"] = "cpu"
    compute_type: Literal["default", "auto", "int8", "int8_float16", "int8_float32", "float16", "float32"] = "int8"
    beam_size: Annotated[int, Field(ge=1, le=20)] = 5
    window_seconds: Annotated[float, Field(ge=5, le=30)] = 20.0
    joined: Joined | None = None


def read_options(options: Mapping[str, Any]) -> Options:
    """The options of a manifest entry. Raises pydantic's ValidationError, which names the key."""
    return Options.model_validate(dict(options))
