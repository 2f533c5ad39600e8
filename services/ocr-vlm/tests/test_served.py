"""The service as its clients see it, in front of vLLM's simulator."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import openai
import pytest
from drawing import packed, page, url
from simulators import MODEL, Engine, Vllm, running

from nexus.sdk.conformance.run import run_checks

PATH = "/v1/ocr"


@pytest.fixture(scope="module")
def vllm() -> Iterator[Engine]:
    with running(Vllm) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(client_of: Any, vllm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    models = tmp_path_factory.mktemp("models")
    (models / "a.toml").write_text(
        f'id = "reader"\naliases = ["ocr-1"]\n[options]\nmodel = "{MODEL}"\nlongest_side = 100\n'
    )
    (models / "b.toml").write_text('id = "other"\n[options]\nmodel = "allenai/olmOCR"\n')
    with client_of(
        NEXUS_OCR_VLM_URL=f"{vllm.url}/v1",
        NEXUS_OCR_VLM_API_KEY="sesame",
        NEXUS_OCR_VLM_PARALLEL="3",
        NEXUS_MODELS_DIR=str(models),
        NEXUS_OCR_VLM_PAGE_SECONDS="5",
        NEXUS_OCR_VLM_DPI="72",
    ) as client:
        yield client


def read(client: httpx.Client, *words: str, form: str = "PDF", **fields: Any) -> httpx.Response:
    body = packed([page(word) for word in words], form)
    media_type = "application/pdf" if form == "PDF" else "image/png"
    document = {"type": "document_url", "document_url": url(body, media_type)}
    return client.post(PATH, json={"model": "reader", "document": document, **fields})


def test_it_keeps_the_contract(client: httpx.Client) -> None:
    failed = [(one.check.name, one.reason) for one in run_checks(str(client.base_url)) if one.status == "fail"]
    assert failed == []


def test_models_are_what_is_served(client: httpx.Client) -> None:
    card = client.get("/v1/metadata").json()
    assert [(model["id"], model["state"]) for model in card["models"]] == [("reader", "ready"), ("other", "failed")]
    assert "not allenai/olmOCR" in json.dumps(client.get("/readyz").json())


def test_an_image_asked_for_by_the_official_client(client: httpx.Client, vllm: Engine) -> None:
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as official:
        picture = {"type": "image_url", "image_url": url(packed(page(size=(400, 200))))}
        answer = official.post("/ocr", body={"model": "ocr-1", "document": picture}, cast_to=dict[str, Any])
    assert answer["pages"] == [
        {
            "index": 0,
            "markdown": "# A page\n\nof 100 by 50",
            "images": [],
            "dimensions": {"dpi": 72, "height": 200, "width": 400},
        }
    ]
    assert answer["model"] == "reader"
    assert answer["usage_info"]["pages_processed"] == 1
    assert vllm.asked[-1]["model"] == MODEL
    assert vllm.headers[-1]["authorization"] == "Bearer sesame"


def test_a_pdf_is_read_page_by_page_several_at_once(client: httpx.Client, vllm: Engine) -> None:
    vllm.most_at_once = 0
    answer = read(client, "read", "fenced", "read", "read", "read", "read", pages="0-2,5").json()
    assert [one["index"] for one in answer["pages"]] == [0, 1, 2, 5]
    assert {one["markdown"] for one in answer["pages"]} == {"# A page\n\nof 100 by 50"}
    assert 1 < vllm.most_at_once <= 3


def test_a_form(client: httpx.Client) -> None:
    answer = client.post(PATH, data={"model": "reader"}, files={"file": ("a.png", packed(page()), "image/png")})
    assert answer.json()["pages"][0]["markdown"].startswith("# A page")


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("cut", 502, "broke"),
        ("length", 502, "did not come to the page's end"),
        ("error", 502, "EngineCore encountered an issue"),
        ("nonsense", 502, "no chat completion"),
        ("refuse", 400, "maximum context length"),
        ("busy", 503, "overloaded"),
    ],
)
def test_what_goes_wrong_with_a_page_is_told(client: httpx.Client, word: str, status: int, reason: str) -> None:
    answer = read(client, "read", word)
    message = answer.json()["error"]["message"]
    assert (answer.status_code, message.partition(":")[0]) == (status, "page 1")
    assert reason in message
    assert read(client, "read").status_code == 200


def test_progress_is_in_pages(client: httpx.Client) -> None:
    asked = ask(client, "read", "read", "slow")
    until(lambda: "2 of 3 pages" in client.get("/v1/calls/pages").text)
    asked.close()


def test_leaving_reaches_the_engine_within_a_second(client: httpx.Client, vllm: Engine) -> None:
    until(lambda: vllm.running == 0)
    before = vllm.stopped
    asked = ask(client, "slow", "slow")
    until(lambda: vllm.running == 2)
    asked.close()
    left = time.monotonic()
    until(lambda: vllm.stopped == before + 2)
    assert time.monotonic() - left < 1


def test_a_full_queue(client: httpx.Client, vllm: Engine) -> None:
    card = client.get("/v1/metadata").json()["capabilities"]
    with ExitStack() as held:
        for _ in range(card["max_concurrency"] + card["max_queue"]):
            held.enter_context(ask(client, "slow"))
        until(lambda: vllm.running == card["max_concurrency"])
        deadline, status = time.monotonic() + 10, 0
        while status != 429 and time.monotonic() < deadline:
            try:
                status = client.post(PATH, json={"image": url(packed(page()))}, timeout=0.3).status_code
            except httpx.TimeoutException:
                continue
        assert status == 429
    until(lambda: read(client, "read").status_code == 200)


def test_an_engine_that_dies_and_comes_back(client_of: Any) -> None:
    with ExitStack() as stack:
        engine = stack.enter_context(running(Vllm))
        port = engine.server_address[1]
        client = stack.enter_context(client_of(NEXUS_OCR_VLM_URL=engine.url))
        assert read(client, "read", model=MODEL).status_code == 200
        engine.die()
        until(lambda: client.get("/readyz").status_code == 503)
        assert "cannot be reached" in client.get("/readyz").json()["checks"]["engine"]
        answer = read(client, "read", model=MODEL)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_ready_service")
        stack.enter_context(running(Vllm, port))
        until(lambda: client.get("/readyz").status_code == 200)
        assert read(client, "read", model=MODEL).status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "document"),
        ({"document": {"image_url": "https://example.com/a.png"}}, "document.image_url"),
        ({"document": {"image_url": url(b"no picture")}}, "document.image_url"),
        ({"image": url(packed(page())), "pages": "3"}, "pages"),
        ({"image": url(packed(page())), "include_blocks": True}, "include_blocks"),
        ({"image": url(packed(page())), "confidence_scores_granularity": "word"}, "confidence_scores_granularity"),
        ({"image": url(packed(page())), "document_annotation_prompt": "x"}, "document_annotation_prompt"),
    ],
)
def test_bad_input(client: httpx.Client, body: Any, param: str) -> None:
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_model_that_is_not_there(client: httpx.Client) -> None:
    assert read(client, "read", model="unheard-of").status_code == 404
    assert read(client, "read", model="other").status_code == 503


def ask(client: httpx.Client, *words: str) -> socket.socket:
    """A connection on which a document was sent; closing it is leaving."""
    document = url(packed([page(word) for word in words], "PDF"), "application/pdf")
    body = json.dumps({"model": "reader", "document": {"document_url": document}}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-request-id: pages\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 80))
    connection.sendall(head.encode() + body)
    return connection


def until(holds: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
