"""The models that may be asked for, and the name by which each is asked of the server: the allow-list.

The server takes any name for a Hugging Face repository and downloads it, so it is never sent a client's own words: a
manifest entry's name, or "default_model", which is what it was started with.
"""

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nexus.sdk.engine import Found, Model

DEFAULT: Final = "default_model"
_MOST_AT_ONCE: Final = 32
_NOT_THERE: Final = "not among what the server has downloaded; the first call downloads it"


class Options(BaseModel):
    """An entry's `[options]`: `model` is the repository, or the folder as the server sees it; `at_once` bounds the
    calls that run side by side (1 for models that wedge under more, mlx-lm issue 1255)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: Annotated[str, Field(min_length=1, max_length=512)] = DEFAULT
    at_once: Annotated[int, Field(ge=1, le=_MOST_AT_ONCE)] = _MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class Listed:
    """One model that may be asked for; `name` is what the server calls it. `problem` says why it cannot be."""

    model: Model
    name: str
    at_once: int = _MOST_AT_ONCE
    problem: str = ""

    def found(self, current: str | None, there: Collection[str]) -> Found:
        """Its state at a server that holds the model `current` and has downloaded those in `there` (where it says)."""
        if self.problem:
            return Found(self.model, "failed", self.problem)
        if self.name == current:
            return Found(self.model, "ready")
        missing = bool(there) and self.name not in there and "/" in self.name and not self.name.startswith(("/", "."))
        return Found(self.model, "unloaded", _NOT_THERE if missing else "")


def allow_list(entries: Sequence[Model], own: str) -> tuple[Listed, ...]:
    """What may be asked of a server whose own model is `own` (a folder or a repository, as `--model`; may be empty).

    The server's own model is listed even where no entry names it, unless an entry has its id; with neither entries nor
    a name for it, it is listed as "default_model". An entry whose options cannot be used has its problem told.
    """
    listed = [_listed(entry, own) for entry in entries]
    if (own or not listed) and all(entry.name != DEFAULT for entry in listed):
        name = posixpath.basename(own.rstrip("/")) or DEFAULT
        if all(name not in (entry.model.id, *entry.model.aliases) for entry in listed):
            listed.append(Listed(Model(id=name), DEFAULT))
    return tuple(listed)


def _listed(entry: Model, own: str) -> Listed:
    try:
        options = Options.model_validate(dict(entry.options))
    except ValidationError as error:
        first = error.errors()[0]
        return Listed(entry, "", problem=f"options.{'.'.join(map(str, first['loc']))}: {first['msg']}")
    return Listed(entry, DEFAULT if options.model == own else options.model, options.at_once)
