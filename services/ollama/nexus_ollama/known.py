"""What this service knows of one of Ollama's models, and what a manifest entry may say about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nexus_ollama.errors import invalid


class Options(BaseModel):
    """The `[options]` of a manifest entry.

    `model` is Ollama's name where it is not the entry's id. `num_ctx` is the context in tokens (the entry's
    `context_length` where it is absent). `keep_alive` replaces NEXUS_OLLAMA_KEEP_ALIVE. With `truncate` Ollama drops
    the oldest messages of a prompt that is too long; without, that is a 400. `options` are defaults for whatever a
    request does not set, by Ollama's names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    num_ctx: Annotated[int, Field(gt=0)] | None = None
    keep_alive: str | int | None = None
    truncate: bool = False
    options: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Known:
    """One model: Ollama's `name` for it, what it can do (None where that Ollama does not say), its trained context."""

    name: str
    capabilities: frozenset[str] | None = None
    trained_context: int | None = None
    keep_alive: str | int | None = None
    truncate: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def can(self, capability: str) -> bool:
        """Whether the model can do this; where nothing is known, Ollama itself will say."""
        return self.capabilities is None or capability in self.capabilities

    def need(self, capability: str, what: str, param: str) -> None:
        """Raise ApiError (400) where it is known that the model cannot do this."""
        if not self.can(capability):
            raise invalid(f"the model {self.name} {what}", param)

    def body(self) -> dict[str, Any]:
        """What every request about this model begins with."""
        kept = {} if self.keep_alive is None else {"keep_alive": self.keep_alive}
        return {"model": self.name, **kept}


def read_keep_alive(text: str | int | None) -> str | int | None:
    """Seconds as a number, as Ollama wants them; durations with a unit stay text; nothing for nothing."""
    if isinstance(text, str):
        try:
            return int(text)
        except ValueError:
            return text or None
    return text
