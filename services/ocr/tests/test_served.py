"""The service as its clients see it: served in a process of its own, asked over HTTP as OCR's clients ask."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from drawing import packed, page, url

FOLDER = Path(__file__).parents[1]
LINES = ["The quick brown fox jumps", "over the lazy dog."]


@pytest.fixture(scope="module")
def client(serve: Any) -> Iterator[openai.OpenAI]:
    with serve(FOLDER) as base, openai.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0) as client:
        yield client


def read(client: openai.OpenAI, **body: Any) -> Any:
    return client.post("/ocr", body=body, cast_to=dict[str, Any])


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["pp-ocrv6-small"]


def test_an_image_and_a_pdf(client: openai.OpenAI) -> None:
    image = page(LINES)
    picture = read(client, model="pp-ocrv6", document={"type": "image_url", "image_url": url(packed(image))})
    assert picture["pages"][0]["markdown"].splitlines() == LINES
    paper = url(packed(image, "PDF"), "application/pdf")
    document = read(client, document={"type": "document_url", "document_url": paper}, pages=[0])
    assert document["pages"][0]["markdown"].splitlines() == LINES
    assert document["pages"][0]["images"] == []
    assert document["model"] == "pp-ocrv6-small"


def test_a_form(client: openai.OpenAI) -> None:
    answer = client.post(
        "/ocr",
        body={"pages": "0", "include_blocks": "true"},
        files={"file": ("a.png", packed(page(LINES)), "image/png")},
        options={"headers": {"content-type": "multipart/form-data"}},
        cast_to=dict[str, Any],
    )
    assert answer["pages"][0]["blocks"][0]["content"].splitlines() == LINES


def test_the_tool_is_on_the_card(client: openai.OpenAI) -> None:
    card = client.get("/metadata", cast_to=dict[str, Any])
    (tool,) = card["tools"]
    assert (tool["name"], tool["path"]) == ("read_image", "/v1/ocr")
    assert set(tool["input_schema"]["properties"]) == {"document", "pages"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "document"),
        ({"document": {"type": "file", "file_id": "f"}}, "document.type"),
        ({"document": {"image_url": "https://example.com/a.png"}}, "document.image_url"),
        ({"document": {"image_url": url(b"no picture")}}, "document.image_url"),
        ({"document": {"image_url": url(packed(page([])))}, "pages": "3"}, "pages"),
        ({"document": {"image_url": url(packed(page([])))}, "image_limit": -1}, "image_limit"),
    ],
)
def test_errors_are_the_clients_own(client: openai.OpenAI, body: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError, match=re.escape(param.split(".", maxsplit=1)[0])) as caught:
        read(client, **body)
    assert caught.value.param == param


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        read(client, model="unheard-of", document={"image_url": url(packed(page([])))})
