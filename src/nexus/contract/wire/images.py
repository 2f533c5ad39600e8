"""`/v1/images/generations`, `/edits` and `/variations`: words and pictures in, pictures out, whole or as events.

The fields are OpenAI's; beside them stand `seed`, `steps`, `guidance_scale`, `strength` and `negative_prompt`.
"""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from nexus.contract.wire.base import Count, ModelName, Number, Wire

LONGEST_PROMPT: Final = 32_000
MOST_IMAGES: Final = 16
_SIZE: Final = re.compile(r"[0-9]{1,5}x[0-9]{1,5}")
_DOT: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNomLAAAANEAbFEKuW4AAAAAElFTkSuQmCC"
)

OutputFormat = Literal["png", "jpeg", "webp"]


def _said(prompt: str) -> str:
    if not prompt.strip():
        raise ValueError("must not be empty")
    return prompt


def _size(size: str) -> str:
    if size != "auto" and not _SIZE.fullmatch(size):
        raise ValueError("must be 'auto' or WIDTHxHEIGHT in pixels, such as 1024x1024")
    return size


Prompt = Annotated[str, Field(max_length=LONGEST_PROMPT, examples=["islands in the sea"]), AfterValidator(_said)]
Size = Annotated[str, AfterValidator(_size)]


class _ImagesRequest(Wire):
    """What the three requests share. `size` is `auto` or WIDTHxHEIGHT; `strength` tells from 0 (as the given image) to
    1 (as new) how far to go from it."""

    model: ModelName | None = None
    n: Annotated[int, Field(ge=1, le=10)] | None = None
    size: Size | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: OutputFormat | None = None
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    user: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    guidance_scale: Annotated[Number, Field(ge=0, le=100)] | None = None
    strength: Annotated[Number, Field(gt=0, le=1)] | None = None
    negative_prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)] | None = None


class _PromptedRequest(_ImagesRequest):
    prompt: Prompt
    quality: Literal["standard", "hd", "low", "medium", "high", "auto"] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Literal["low", "auto"] | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = None


class ImagesGenerationRequest(_PromptedRequest):
    """A picture from words."""

    style: Literal["vivid", "natural"] | None = None


class ImageReference(Wire):
    """An image of a JSON request: a `data:` URL. (The gateway turns the id of an uploaded file into one.)"""

    image_url: Annotated[str, Field(min_length=1)] | None = None
    file_id: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.image_url is None) == (self.file_id is None):
            raise ValueError("give either image_url or file_id")
        return self


class ImagesEditFields(_PromptedRequest):
    """What an edit says besides its images: the fields of its form."""

    input_fidelity: Literal["high", "low"] | None = None


class ImagesEditRequest(ImagesEditFields):
    """An edit in JSON: the first image is edited, only where the mask is transparent if there is one."""

    images: Annotated[
        tuple[ImageReference, ...], Field(min_length=1, max_length=MOST_IMAGES, examples=[[{"image_url": _DOT}]])
    ]
    mask: ImageReference | None = None


class ImagesVariationFields(_ImagesRequest):
    """What a variation says besides its image: the fields of its form. `prompt` is an engine's to use or to leave."""

    prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)] | None = None


class InputTokensDetails(Wire):
    text_tokens: Count
    image_tokens: Count


class ImagesUsage(Wire):
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    input_tokens_details: InputTokensDetails


class Image(Wire):
    """One picture: base64 of the file, or a URL of it; `revised_prompt` says what was drawn if not what was asked."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class ImagesResponse(Wire):
    created: Count
    data: tuple[Image, ...]
    background: Literal["transparent", "opaque"] | None = None
    output_format: OutputFormat | None = None
    size: str | None = None
    quality: Literal["low", "medium", "high"] | None = None
    usage: ImagesUsage | None = None


class ImageEvent(Wire):
    """One event of a streamed answer: `….partial_image` has its index, `….completed` the usage."""

    type: Literal[
        "image_generation.partial_image",
        "image_generation.completed",
        "image_edit.partial_image",
        "image_edit.completed",
    ]
    b64_json: str
    created_at: Count
    size: str
    quality: str
    background: str
    output_format: OutputFormat
    partial_image_index: Count | None = None
    usage: ImagesUsage | None = None
