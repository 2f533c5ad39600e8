"""`/v1/ocr`: a picture or a PDF in, its text as Markdown out; in the shape of Mistral's endpoint."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nexus.contract.wire.base import Count, ModelName, Wire

_EXAMPLE = {  # a small white picture: what a checker may send
    "type": "image_url",
    "image_url": "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAFElEQVR42mP8zwABTAyjjFEGyQwAzx8Bf7QK4E8AAAAASUVORK5CYII=",
}

_Page = Annotated[Count | str, Field(union_mode="left_to_right")]  # "3" in a form is the number
Pages = _Page | Annotated[tuple[_Page, ...], Field(min_length=1, max_length=10_000)]


def _without_default(schema: dict[str, Any]) -> None:
    """`document` may be left out for the sake of the older `image`; the schema tells of the way that is meant."""
    schema.pop("default", None)


class ImageUrl(Wire):
    url: str


class Document(Wire):
    """What is read: a `data:` URL, of any kind as `document_url`, of a picture as `image_url`."""

    type: Literal["document_url", "image_url"] | None = None
    document_url: str | None = None
    document_name: str | None = None
    image_url: str | ImageUrl | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in ("document_url", "image_url") if getattr(self, name) is not None]
        if len(given) != 1 or self.type not in (None, given[0]):
            raise ValueError("give document_url or image_url, and the type of the same name")
        return self

    @property
    def url(self) -> str:
        if isinstance(self.image_url, ImageUrl):
            return self.image_url.url
        return self.image_url or self.document_url or ""


class OcrRequest(Wire):
    """An OCR request; null means absent. It has a `document`, or the older `image`: base64 or a data: URL.

    `pages` counts from 0: a number, numbers, or ranges as "0-2,5".
    """

    model: ModelName | None = None
    id: str | None = None
    document: Annotated[Document | None, Field(examples=[_EXAMPLE], json_schema_extra=_without_default)] = None
    image: str | None = None
    pages: Pages | None = None
    include_image_base64: bool | None = None
    image_limit: Count | None = None
    image_min_size: Count | None = None
    table_format: Literal["markdown", "html"] | None = None
    extract_header: bool | None = None
    extract_footer: bool | None = None
    include_blocks: bool | None = None
    confidence_scores_granularity: Literal["page", "word"] | None = None
    bbox_annotation_format: dict[str, Any] | None = None
    document_annotation_format: dict[str, Any] | None = None
    document_annotation_prompt: str | None = None


class OcrDimensions(Wire):
    """Of a page's picture: in pixels, and how many of them make an inch."""

    dpi: int
    height: int
    width: int


class OcrBlock(Wire):
    """A paragraph or a heading, where it stands on its page's picture (pixels)."""

    type: str
    content: str
    top_left_x: int
    top_left_y: int
    bottom_right_x: int
    bottom_right_y: int


class OcrWordConfidence(Wire):
    """`start_index` is the word's place in the page's Markdown."""

    text: str
    confidence: float
    start_index: int


class OcrConfidence(Wire):
    average_page_confidence_score: float
    minimum_page_confidence_score: float
    word_confidence_scores: tuple[OcrWordConfidence, ...] | None = None


class OcrPage(Wire):
    index: int
    markdown: str
    images: tuple[dict[str, Any], ...] = ()
    dimensions: OcrDimensions | None = None
    blocks: tuple[OcrBlock, ...] | None = None
    confidence_scores: OcrConfidence | None = None


class OcrUsage(Wire):
    pages_processed: int
    doc_size_bytes: int | None = None


class OcrResponse(Wire):
    pages: tuple[OcrPage, ...]
    model: str
    usage_info: OcrUsage
    document_annotation: str | None = None
