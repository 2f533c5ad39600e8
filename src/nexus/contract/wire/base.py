"""What all wire shapes share: unknown fields are kept, types are not bent, and nothing is changed after reading."""

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """Base of the shapes. A string is never taken for a number nor a number for a flag."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, protected_namespaces=())


ModelName = Annotated[str, Field(min_length=1, max_length=256)]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Tokens = tuple[Count, ...]
Text = str | tuple[int, ...]
Stop = str | Annotated[tuple[str, ...], Field(max_length=16)]


class StreamOptions(Wire):
    include_usage: bool = False


class PromptTokensDetails(Wire):
    cached_tokens: int = 0


class Usage(Wire):
    """Tokens of one answer. Embeddings have no `completion_tokens`."""

    prompt_tokens: int
    completion_tokens: int | None = None
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None


def each_text(given: str | tuple[str, ...] | tuple[int, ...] | tuple[tuple[int, ...], ...]) -> tuple[Text, ...]:
    """The texts of a `prompt` or `input`, one by one: a text, texts, the tokens of one text, or those of several."""
    if isinstance(given, str) or (given and isinstance(given[0], int)):
        return (given,)
    return cast(tuple[Text, ...], given)
