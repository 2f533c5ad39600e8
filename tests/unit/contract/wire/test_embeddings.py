"""Embeddings: the four kinds of input, and vectors in both encodings."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.embeddings import EmbeddingsRequest, EmbeddingsResponse


def request(**fields: Any) -> EmbeddingsRequest:
    return EmbeddingsRequest.model_validate_json(json.dumps({"model": "m", **fields}))


@pytest.mark.parametrize(
    ("given", "read"),
    [("a", "a"), (["a", "b"], ("a", "b")), ([1, 2], (1, 2)), ([[1], [2, 3]], ((1,), (2, 3)))],
)
def test_the_four_kinds_of_input(given: Any, read: Any) -> None:
    assert request(input=given).input == read


@pytest.mark.parametrize("given", [None, 5, [], ["a", 1], [1.5], ["a"] * 2049])
def test_other_inputs_are_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        request(input=given)


@pytest.mark.parametrize("fields", [{"encoding_format": "hex"}, {"dimensions": 0}, {"dimensions": "8"}])
def test_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(input="a", **fields)


@pytest.mark.parametrize("vector", [[0.5, 1], "AAAAAA=="])
def test_vectors_in_both_encodings(vector: Any) -> None:
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}],
        "model": "m",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    }
    read = EmbeddingsResponse.model_validate_json(json.dumps(body))
    assert read.data[0].embedding == (vector if isinstance(vector, str) else (0.5, 1.0))
