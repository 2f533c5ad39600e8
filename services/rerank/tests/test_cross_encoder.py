"""The second engine: a cross-encoder's folder, its pairs, chunks and logits; and entries that cannot be used."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nexus_rerank.cross_encoder import _logistic
from nexus_rerank.engines import load_reranker
from nexus_rerank.tokens import Tokens
from pydantic import ValidationError
from tiny_cross_encoder import BIAS, write_folder

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Call, Model


@pytest.fixture
def crossed(rerank: Callable[..., Any], crossing: Model) -> Callable[..., Any]:
    return lambda query, documents, **fields: rerank(query, documents, Call("test", crossing, {}), **fields)


def test_the_logit_becomes_the_relevance(crossed: Callable[..., Any]) -> None:
    answer = crossed("the cat sat", ["red fish", "the cat runs", "the cat sat"])
    shared = [(result["index"], result["relevance_score"]) for result in answer["results"]]
    expected = [(2, 3), (1, 2), (0, 0)]
    assert shared == [(index, pytest.approx(1 / (1 + math.exp(-(words + 1 + BIAS))))) for index, words in expected]
    assert answer["model"] == "cross"
    assert answer["usage"]["total_tokens"] == 5 + 3 + 4 + 4


def test_the_best_chunk_of_a_long_document_counts(crossed: Callable[..., Any]) -> None:
    near, far = "the cat sat", "dog " * 100
    answer = crossed("the cat sat", [far, far + near + " " + far])
    assert [result["index"] for result in answer["results"]] == [1, 0]
    assert answer["results"][0]["relevance_score"] == pytest.approx(1 / (1 + math.exp(-(4 + BIAS))))


def test_a_query_that_leaves_no_room(crossed: Callable[..., Any]) -> None:
    with pytest.raises(ApiError) as caught:
        crossed("cat " * 11, ["cat"])
    assert (caught.value.param, caught.value.code) == ("query", "context_length_exceeded")


def test_chunks_overlap_and_hold_everything(crossing: Model) -> None:
    assert crossing.path is not None
    tokens = Tokens(crossing.path / "tokenizer.json", 20)
    text = "a b the cat sat mat dog runs red blue fish swims far " * 4
    every = tokens.query(text, 1000).ids[1:-1]
    chunks = [chunk.ids[1:-1] for chunk in tokens.chunks(text)]
    assert all(len(chunk) <= 18 for chunk in chunks)
    joined = list(chunks[0])
    for before, chunk in pairwise(chunks):
        assert chunk[0] == before[-1]
        joined += chunk[1:]
    assert joined == every
    for pair in tokens.pairs("red blue", text):
        assert len(pair.ids) <= 20
        assert pair.types == [0] * 4 + [1] * (len(pair.ids) - 4)


def test_no_logit_overflows() -> None:
    assert [_logistic(logit) for logit in (-1e4, 0.0, 1e4)] == [0.0, 0.5, 1.0]


def test_entries_that_cannot_be_used_say_why(crossing: Model, minilm: Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of the engines bi-encoder, cross-encoder"):
        load_reranker(Model(id="m", path=crossing.path, options={"engine": "other"}), 1)
    with pytest.raises(ValidationError, match="tokeniser"):
        load_reranker(Model(id="m", path=crossing.path, options={"tokeniser": "x"}), 1)
    with pytest.raises(ValueError, match="gives no file"):
        load_reranker(Model(id="m"), 1)
    with pytest.raises(FileNotFoundError, match="no tokenizer"):
        load_reranker(Model(id="m", path=tmp_path), 1)
    with pytest.raises(FileNotFoundError, match="is not installed"):
        load_reranker(Model(id="m", path=tmp_path, options={"tokenizer_package": "nexus_no_such_package"}), 1)
    with pytest.raises(ValueError, match="holds no query"):
        load_reranker(Model(id="m", path=crossing.path, context_length=4), 1)
    with pytest.raises(ValueError, match="no bi-encoder"):
        load_reranker(Model(id="m", path=crossing.path, options={"engine": "bi-encoder"}), 1)
    with pytest.raises(ValueError, match="no cross-encoder"):
        load_reranker(Model(id="m", path=minilm.path, options={**minilm.options, "engine": "cross-encoder"}), 1)
    write_folder(tmp_path, outputs=3)
    with pytest.raises(ValueError, match="gives 3 numbers"):
        load_reranker(Model(id="m", path=tmp_path), 1)
