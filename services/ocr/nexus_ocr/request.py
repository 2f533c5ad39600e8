"""What a request wants, whichever way it came: JSON with a data: URL, or a form with a file."""

import json
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.ocr import OcrRequest
from nexus.sdk.engine import Form
from nexus.sdk.media.data_urls import read_base64, read_data_url

_FILE: Final = "file"
_TEXTS: Final = ("model", "id", "document_annotation_prompt")  # fields of a form that are never JSON
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
    upload = form.files.get(_FILE)
    if upload is None:
        raise ApiError(INVALID_REQUEST, "file: send the image or the PDF as a file of this name", param=_FILE)
    given: dict[str, Any] = {name: _value(name, text) for name, text in form.fields.items() if text}
    given |= {name: [_value(name, text) for text in texts] for name, texts in form.lists.items()}
    if given.keys() & {"document", "image"}:
        raise ApiError(INVALID_REQUEST, "document: the form has a file; give one of them", param="document")
    try:
        request = OcrRequest.model_validate_json(json.dumps(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else None
        raise ApiError(INVALID_REQUEST, f"{name or 'form'}: {first['msg']}", param=name) from error
    return request, Source(upload.body, _FILE)


def _value(name: str, text: str) -> Any:
    """A form's text as the value that JSON would have had: 3, true, [0, 1]; what is no JSON stays text."""
    if name in _TEXTS:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
