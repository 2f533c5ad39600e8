"""OCR: the ways in which a document is given, pages, and what is refused."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.ocr import Document, OcrRequest, OcrResponse

URL = "data:image/png;base64,AAAA"


def request(**fields: Any) -> OcrRequest:
    return OcrRequest.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize(
    "document",
    [
        {"type": "document_url", "document_url": URL},
        {"document_url": URL, "document_name": "a.pdf"},
        {"type": "image_url", "image_url": URL},
        {"type": "image_url", "image_url": {"url": URL}},
        {"image_url": URL},
    ],
)
def test_the_ways_to_give_a_document(document: Any) -> None:
    read = request(model="m", document=document)
    assert read.document
    assert read.document.url == URL


def test_the_older_image() -> None:
    read = request(image="AAAA")
    assert (read.image, read.document) == ("AAAA", None)
    assert request(image="AAAA", document=None).image == "AAAA"


@pytest.mark.parametrize(
    "document",
    [
        URL,
        {},
        {"type": "document_url"},
        {"type": "file", "file_id": "f"},
        {"type": "document_url", "image_url": URL},
        {"document_url": URL, "image_url": URL},
        {"document_url": 5},
    ],
)
def test_other_documents_are_refused_by_name(document: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        request(document=document)
    assert caught.value.errors()[0]["loc"][0] == "document"


def test_the_schema_shows_a_document() -> None:
    schema = OcrRequest.model_json_schema()["properties"]["document"]
    assert "default" not in schema
    assert Document.model_validate(schema["examples"][0]).url.startswith("data:image/png;base64,")


@pytest.mark.parametrize(("given", "read"), [(3, 3), ("0-2", "0-2"), ([0, 2], (0, 2)), ([0, "2-4"], (0, "2-4"))])
def test_pages(given: Any, read: Any) -> None:
    assert request(image="A", pages=given).pages == read


@pytest.mark.parametrize(
    "fields",
    [
        {"pages": -1},
        {"pages": []},
        {"pages": [-1]},
        {"pages": [1.5]},
        {"image_limit": -1},
        {"table_format": "csv"},
        {"include_blocks": "yes"},
        {"confidence_scores_granularity": "letter"},
    ],
)
def test_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        request(image="A", **fields)
    assert caught.value.errors()[0]["loc"][0] == next(iter(fields))


def test_an_answer() -> None:
    body = {
        "pages": [{"index": 0, "markdown": "a", "images": [], "dimensions": {"dpi": 72, "height": 1, "width": 2}}],
        "model": "m",
        "usage_info": {"pages_processed": 1, "doc_size_bytes": None},
    }
    assert OcrResponse.model_validate_json(json.dumps(body)).pages[0].markdown == "a"
