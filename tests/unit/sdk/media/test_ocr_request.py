"""Requests as JSON and as forms: the same wishes, and what is refused by name."""

import base64
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.ocr import OcrRequest
from nexus.sdk.engine import Form, Upload
from nexus.sdk.media.ocr_request import understood

BODY = b"the bytes"
PACKED = base64.b64encode(BODY).decode()
URL = f"data:application/pdf;base64,{PACKED}"


def form(lists: dict[str, tuple[str, ...]] | None = None, **fields: str) -> Form:
    upload = Upload("a.pdf", "application/pdf", BODY)
    return Form(fields, lists or {}, {"file": upload}, {"file": (upload,)})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"document": {"type": "document_url", "document_url": URL}}, "document.document_url"),
        ({"document": {"type": "image_url", "image_url": {"url": URL}}}, "document.image_url"),
        ({"image": URL}, "image"),
        ({"image": PACKED}, "image"),
    ],
)
def test_json(fields: Any, param: str) -> None:
    _, source = understood(OcrRequest.model_validate(fields))
    assert (source.body, source.param) == (BODY, param)


def test_a_forms_fields_are_what_json_would_say() -> None:
    request, source = understood(
        form(model="m", pages="0-2", include_blocks="true", image_limit="3", include_image_base64="", id="7")
    )
    assert (source.body, source.param) == (BODY, "file")
    assert (request.model, request.pages, request.include_blocks, request.image_limit) == ("m", "0-2", True, 3)
    assert (request.include_image_base64, request.id) == (None, "7")
    assert understood(form(pages="[0, 2]"))[0].pages == (0, 2)
    assert understood(form(pages="1"))[0].pages == 1
    assert understood(form({"pages": ("0", "2")}))[0].pages == (0, 2)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (OcrRequest(), "document"),
        (OcrRequest(image=PACKED, document={"document_url": URL}), "image"),
        (OcrRequest(image="no base64!"), "image"),
        (OcrRequest(image="https://example.com/a.png"), "image"),
        (OcrRequest(document={"image_url": "https://example.com/a.png"}), "document.image_url"),
        (OcrRequest(document={"document_url": PACKED}), "document.document_url"),
        (OcrRequest(image=PACKED, document_annotation_format={"type": "text"}), "document_annotation_format"),
        (OcrRequest(image=PACKED, bbox_annotation_format={"type": "text"}), "bbox_annotation_format"),
        (OcrRequest(image=PACKED, document_annotation_prompt="Summarise."), "document_annotation_prompt"),
        (Form({}, {}, {}), "file"),
        (form(document=URL), "document"),
        (form(include_blocks="perhaps"), "include_blocks"),
        (form(image_limit="-1"), "image_limit"),
        (form(table_format="csv"), "table_format"),
    ],
)
def test_what_is_wrong_is_refused_by_name(given: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        understood(given)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert param.split(".", maxsplit=1)[0] in caught.value.message
