"""`/v1/embeddings`: texts or tokens in, vectors out."""

from typing import Annotated, Literal

from pydantic import Field

from nexus.contract.wire.base import ModelName, Tokens, Usage, Wire

Input = (
    str
    | Annotated[tuple[str, ...], Field(min_length=1, max_length=2048)]
    | Annotated[Tokens, Field(min_length=1)]
    | Annotated[tuple[Tokens, ...], Field(min_length=1, max_length=2048)]
)


class EmbeddingsRequest(Wire):
    """An embeddings request; `input` is a text, texts, the tokens of one text, or those of several."""

    model: ModelName
    input: Input
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None


class Embedding(Wire):
    """`embedding` is a list of floats, or base64 of little-endian 32-bit floats where that was asked for."""

    object: Literal["embedding"]
    index: int
    embedding: tuple[float, ...] | str


class EmbeddingsResponse(Wire):
    object: Literal["list"]
    data: tuple[Embedding, ...]
    model: str
    usage: Usage
