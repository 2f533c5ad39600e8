"""`/v1/completions`: text continued without a chat template; an answer and a streamed chunk have one shape."""

from typing import Annotated, Literal

from pydantic import Field

from nexus.contract.wire.base import Count, ModelName, Number, Stop, StreamOptions, Tokens, Usage, Wire

Prompt = (
    str
    | Annotated[tuple[str, ...], Field(min_length=1)]
    | Annotated[Tokens, Field(min_length=1)]
    | Annotated[tuple[Tokens, ...], Field(min_length=1)]
)


class CompletionRequest(Wire):
    """A completion request; `prompt` is a text, texts, the tokens of one text, or those of several."""

    model: ModelName
    prompt: Prompt
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    best_of: Annotated[int, Field(ge=1, le=20)] | None = None
    stop: Stop | None = None
    seed: int | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Number] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    user: str | None = None


class CompletionLogprobs(Wire):
    """The four lists run side by side, one entry a token; offsets are in characters from the text's begin."""

    tokens: tuple[str, ...] = ()
    token_logprobs: tuple[float | None, ...] = ()
    top_logprobs: tuple[dict[str, float] | None, ...] | None = None
    text_offset: tuple[int, ...] = ()


class CompletionChoice(Wire):
    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: Literal["stop", "length", "content_filter"] | None = None


class Completion(Wire):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: tuple[CompletionChoice, ...]
    usage: Usage | None = None
    system_fingerprint: str | None = None
