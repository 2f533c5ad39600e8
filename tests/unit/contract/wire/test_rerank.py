"""Rerank requests and answers: documents in both shapes, bounds."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.rerank import RerankRequest, RerankResponse


def request(**fields: Any) -> RerankRequest:
    return RerankRequest.model_validate_json(json.dumps({"query": "q", "documents": ["a"], **fields}))


def test_documents_in_both_shapes() -> None:
    assert request(documents=["a", {"text": "b", "title": "t"}]).texts == ("a", "b")


@pytest.mark.parametrize(
    "fields",
    [
        {"query": ""},
        {"query": 5},
        {"documents": []},
        {"documents": "a"},
        {"documents": [{"title": "no text"}]},
        {"documents": [1]},
        {"documents": ["a"] * 1001},
        {"top_n": 0},
        {"top_n": -1},
        {"top_n": "3"},
        {"return_documents": "yes"},
    ],
)
def test_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**fields)


def test_answers() -> None:
    body = {
        "id": "rerank-1",
        "object": "list",
        "model": "m",
        "results": [{"index": 1, "relevance_score": 1, "document": {"text": "b"}}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    (result,) = RerankResponse.model_validate_json(json.dumps(body)).results
    assert (result.index, result.relevance_score, result.document and result.document.text) == (1, 1.0, "b")
