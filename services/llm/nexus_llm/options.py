"""What a manifest entry's `[options]` may say to this engine."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """A model's own settings.

    `max_string_chars` and `max_array_items` bound what constrained decoding lets the model write where the schema
    sets no bound itself: small models ramble inside strings. `kv_cache` is the type in which attention keys and
    values are kept. `chat_template` (Jinja) replaces the one in the model's file. `gpu_layers` is how many layers
    go to a GPU; None leaves it to the engine. `prompt_batch` is how many tokens of prompts are read between two looks
    at whether their callers are still there: few where the machine is slow, many where a GPU reads. `max_calls` and
    `max_call_tokens` bound one turn of emulated tool calls.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_string_chars: Annotated[int, Field(gt=0)] | None = None
    max_array_items: Annotated[int, Field(gt=0)] | None = None
    max_calls: Annotated[int, Field(gt=0)] = 4
    max_call_tokens: Annotated[int, Field(gt=0)] = 1024
    prompt_batch: Annotated[int, Field(gt=0)] = 256
    kv_cache: Literal["f16", "q8_0"] = "f16"
    chat_template: str | None = None
    gpu_layers: int | None = None


def read_options(options: Mapping[str, Any]) -> Options:
    """The options of a manifest entry. Raises pydantic's ValidationError, which names the key."""
    return Options.model_validate(dict(options))
