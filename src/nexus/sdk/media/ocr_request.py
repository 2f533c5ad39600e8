"""What a request wants, whichever way it came: JSON with a data: URL, or a form with a file."""

from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.ocr import OcrRequest
from nexus.sdk.engine import Form
from nexus.sdk.media.data_urls import read_base64, read_data_url

_FILE: Final = "file"
_UNSUPPORTED: Final = ("bbox_annotation_format", "document_annotation_format", "document_annotation_prompt")


@dataclass(frozen=True, slots=True)
class Source:
    """A document's bytes, and the parameter that they came in."""

    body: bytes
    param: str


def understood(given: Form | OcrRequest) -> tuple[OcrRequest, Source]:
    """The request and its document. Raises ApiError (400) that names the parameter."""
    request, source = _from_form(given) if isinstance(given, Form) else (given, _source(given))
    for name in _UNSUPPORTED:
        if getattr(request, name) is not None:
            raise ApiError(
                INVALID_REQUEST,
                f"{name}: this engine reads text and cannot annotate it; ask a chat model about the text",
                param=name,
            )
    return request, source


def _source(request: OcrRequest) -> Source:
    document, image = request.document, request.image
    if document is None and image is None:
        raise ApiError(INVALID_REQUEST, "document: give one, as a document_url or an image_url", param="document")
    if document is not None and image is not None:
        raise ApiError(INVALID_REQUEST, "image: give either a document or the older image", param="image")
    if document is not None:
        param = "document.document_url" if document.document_url is not None else "document.image_url"
        return Source(read_data_url(document.url, param).body, param)
    text = image or ""
    return Source(read_data_url(text, "image").body if ":" in text[:16] else read_base64(text, "image"), "image")


def _from_form(form: Form) -> tuple[OcrRequest, Source]:
    upload = form.file(_FILE)
    request = form.validated(OcrRequest)
    if request.document is not None or request.image is not None:
        raise ApiError(INVALID_REQUEST, "document: the form has a file; give one of them", param="document")
    return request, Source(upload.body, _FILE)
