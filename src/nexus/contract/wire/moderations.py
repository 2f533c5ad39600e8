"""`/v1/moderations`: texts and images in, what is wrong with each out, by OpenAI's categories."""

from typing import Annotated, Final, Literal

from pydantic import Field

from nexus.contract.wire.base import ModelName, Wire
from nexus.contract.wire.messages import ImagePart, TextPart

CATEGORIES: Final = (
    "hate",
    "hate/threatening",
    "harassment",
    "harassment/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
MOST_TEXTS: Final = 2048
MOST_PARTS: Final = 128

InputType = Literal["text", "image"]
ModerationPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]
ModerationInput = (
    str
    | Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_TEXTS)]
    | Annotated[tuple[ModerationPart, ...], Field(min_length=1, max_length=MOST_PARTS)]
)


class ModerationRequest(Wire):
    """A moderation request; `input` is a text, texts (each judged), or the parts of one message (judged together)."""

    model: ModelName | None = None
    input: ModerationInput


class Moderation(Wire):
    """The judgement of one input. A category without applied input types was not looked at; its score says nothing."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, tuple[InputType, ...]]


class ModerationResponse(Wire):
    id: str
    model: str
    results: tuple[Moderation, ...]
