"""The service as its clients see it: served in a process of its own, asked over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_cross_encoder import write_folder

FOLDER = Path(__file__).parents[1]
PATH = "/v1/rerank"


@pytest.fixture(scope="module")
def client(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    models = tmp_path_factory.mktemp("models")
    folder = models / "tiny"
    folder.mkdir()
    write_folder(folder)
    entry = 'id = "tiny-cross"\ncontext_length = 64\noperations = ["rerank"]\n[source]\npath = "tiny"\n'
    (models / "tiny.toml").write_text(entry)
    with (
        serve(FOLDER, NEXUS_MODELS_DIR=str(models)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield client


def test_documents_in_order(client: httpx.Client) -> None:
    body = {
        "model": "minilm-rerank",
        "query": "What do cats eat?",
        "documents": ["The motor has four cylinders.", {"text": "Cats eat mice and birds."}, "Rome was founded early."],
        "top_n": 2,
        "return_documents": True,
    }
    answer = client.post(PATH, json=body)
    assert answer.status_code == 200
    first, second = answer.json()["results"]
    assert (first["index"], first["document"]["text"]) == (1, "Cats eat mice and birds.")
    assert first["relevance_score"] > second["relevance_score"]


def test_a_cross_encoder_by_a_manifest_entry(client: httpx.Client) -> None:
    body = {"model": "tiny-cross", "query": "red fish", "documents": ["blue dog", "the red fish swims"]}
    answer = client.post(PATH, json=body).json()
    assert (answer["model"], [result["index"] for result in answer["results"]]) == ("tiny-cross", [1, 0])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": " "}, "query"),
        ({"query": None}, "query"),
        ({"query": ["a"]}, "query"),
        ({"query": "word " * 400}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "text"}, "documents"),
        ({"documents": ["a"] * 1001}, "documents"),
        ({"documents": ["a", 5]}, "documents[1]"),
        ({"documents": ["a", {"title": "b"}]}, "documents[1]"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": -5}, "top_n"),
        ({"top_n": 1.5}, "top_n"),
    ],
)
def test_bad_input(client: httpx.Client, fields: Any, param: str) -> None:
    answer = client.post(PATH, json={"model": "minilm-rerank", "query": "q", "documents": ["a", "b"], **fields})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_bad_bodies(client: httpx.Client) -> None:
    assert client.post(PATH, content=b'{"query": "x', headers={"content-type": "application/json"}).status_code == 400
    assert client.post(PATH, json={"query": "q", "documents": ["x" * 5_000_000]}).status_code == 413
    missing = client.post(PATH, json={"model": "unheard-of", "query": "q", "documents": ["a"]})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


def test_the_card_is_honest(client: httpx.Client) -> None:
    card = client.get("/v1/metadata").json()
    assert "not a cross-encoder" in card["service"]["description"]
