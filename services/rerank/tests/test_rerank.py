"""Documents ordered by the real model: meaning, the answer's shape, long documents, bad input, cancelling."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.rerank import RerankResponse
from nexus.sdk.engine import Call, Model

Rerank = Callable[..., Any]
DOCUMENTS = [
    "Stock prices fell sharply on Monday.",
    "A kitten is a young cat.",
    "Paris is the capital of France.",
    "The Eiffel Tower stands in Paris.",
]


def order(answer: Any) -> list[int]:
    return [result["index"] for result in answer["results"]]


def test_the_fitting_document_comes_first(rerank: Rerank) -> None:
    assert order(rerank("What is the capital of France?", DOCUMENTS))[:2] == [2, 3]
    assert order(rerank("baby animals", DOCUMENTS))[0] == 1
    assert order(rerank("share prices on the stock exchange", DOCUMENTS))[0] == 0


def test_the_answer(rerank: Rerank, call: Call) -> None:
    answer = rerank("capital of France", DOCUMENTS, model="minilm-rerank")
    RerankResponse.model_validate_json(json.dumps(answer))
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert (scores[0] > 0.6, scores[-1] < 0.15) == (True, True)
    assert (answer["model"], answer["id"], answer["object"]) == ("minilm-rerank", "rerank-test", "list")
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 30
    assert call.progress.fraction == 1


def test_documents_are_given_back_when_asked_for(rerank: Rerank) -> None:
    documents = [DOCUMENTS[0], {"text": DOCUMENTS[2], "title": "France"}]
    (result,) = rerank("France", documents, return_documents=True, top_n=1)["results"]
    assert (result["index"], result["document"]) == (1, {"text": DOCUMENTS[2]})
    assert "document" not in rerank("France", documents)["results"][0]


@pytest.mark.parametrize(("top_n", "count"), [(1, 1), (3, 3), (99, 4)])
def test_top_n(rerank: Rerank, top_n: int, count: int) -> None:
    assert len(rerank("x", DOCUMENTS, top_n=top_n, max_chunks_per_doc=10)["results"]) == count


def test_the_best_part_of_a_long_document_counts(rerank: Rerank) -> None:
    padding = "The weather was mild and nothing of note happened. " * 60
    answer = rerank("What is the capital of France?", [padding, padding + DOCUMENTS[2] + " " + padding])
    assert order(answer) == [1, 0]
    assert answer["results"][0]["relevance_score"] > answer["results"][1]["relevance_score"] + 0.1
    assert answer["usage"]["total_tokens"] > 1900


def test_documents_score_the_same_alone_and_in_company(rerank: Rerank) -> None:
    alone = rerank("France", DOCUMENTS[2:3])["results"][0]["relevance_score"]
    together = {result["index"]: result["relevance_score"] for result in rerank("France", DOCUMENTS)["results"]}
    assert together[2] == alone


def test_equal_documents_stay_in_their_order(rerank: Rerank) -> None:
    assert order(rerank("France", [DOCUMENTS[2]] * 5)) == [0, 1, 2, 3, 4]


def test_a_blank_document_is_no_error(rerank: Rerank) -> None:
    answer = rerank("capital of France", ["", DOCUMENTS[2], "   "])
    assert order(answer)[0] == 1


def test_several_callers_at_once_get_their_own(rerank: Rerank) -> None:
    queries = ["cats", "France", "money", "towers"]
    expected = [rerank(query, DOCUMENTS) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda query: rerank(query, DOCUMENTS), queries)) == expected


@pytest.mark.parametrize(
    ("query", "code"), [("  \n", "invalid_request_error"), ("word " * 300, "context_length_exceeded")]
)
def test_bad_queries(rerank: Rerank, query: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        rerank(query, DOCUMENTS)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, "query", code)


def test_work_stops_when_the_caller_leaves(rerank: Rerank, call: Call) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(rerank, "x", ["word " * 5000] * 100)
        while not call.progress.fraction:
            assert not asking.done()
        call.cancel()
        left = time.monotonic()
        with pytest.raises(ApiError, match="cancelled"):
            asking.result()
    assert time.monotonic() - left < 1


def test_an_unloaded_model_is_not_ready(rerank: Rerank) -> None:
    with pytest.raises(ApiError) as caught:
        rerank("x", ["y"], Call("test", Model(id="other"), {}))
    assert caught.value.status == 503
