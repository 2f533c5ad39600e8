"""The service in front of docling-serve's simulator."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from drawing import packed, page, url
from simulators import Docling, Engine, running

PATH = "/v1/ocr"


@pytest.fixture(scope="module")
def docling() -> Iterator[Engine]:
    with running(Docling) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(client_of: Any, docling: Engine) -> Iterator[httpx.Client]:
    with client_of(
        NEXUS_OCR_VLM_ENGINE="docling",
        NEXUS_OCR_VLM_URL=docling.url,
        NEXUS_OCR_VLM_API_KEY="sesame",
        NEXUS_OCR_VLM_PAGE_SECONDS="2",
        NEXUS_OCR_VLM_DPI="72",
    ) as client:
        yield client


def read(client: httpx.Client, *words: str) -> httpx.Response:
    document = url(packed([page(word) for word in words], "PDF"), "application/pdf")
    return client.post(PATH, json={"model": "docling", "document": {"document_url": document}})


def test_each_page_is_a_task(client: httpx.Client, docling: Engine) -> None:
    answer = read(client, "read", "read").json()
    assert [one["markdown"] for one in answer["pages"]] == ["## A page\n\nof 200 by 100"] * 2
    assert docling.asked[-1] == {
        "from_formats": "image",
        "to_formats": "md",
        "do_ocr": "true",
        "image_export_mode": "placeholder",
        "abort_on_error": "true",
    }
    assert docling.headers[-1]["x-api-key"] == "sesame"


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("error", 502, "ended as 'failure'"),
        ("partial", 502, "OCR gave up"),
        ("nonsense", 502, "has no status"),
        ("refuse", 400, "Input is not valid"),
        ("slow", 504, "longer than 2 seconds"),
    ],
)
def test_what_goes_wrong(client: httpx.Client, word: str, status: int, reason: str) -> None:
    answer = read(client, word)
    assert (answer.status_code, reason in answer.json()["error"]["message"]) == (status, True), answer.text


def test_leaving_ends_the_asking(client: httpx.Client, docling: Engine) -> None:
    docling.polled.clear()
    body = httpx.Request("POST", "http://x", json={"image": url(packed(page("slow")))}).content
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
        connection.sendall(head.encode() + body)
        while len(docling.polled) < 2:
            time.sleep(0.01)
    left = time.monotonic()
    time.sleep(1.2)
    assert docling.polled[-1] < left + 0.5
