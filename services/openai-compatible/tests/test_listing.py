"""Lists of models, in the dialects of those who serve them."""

from typing import Any

import pytest
from nexus_openai_compatible.listing import Listed, read_listing

from nexus.contract.errors import ApiError


@pytest.mark.parametrize(
    ("entry", "operations"),
    [
        ({}, None),
        ({"type": "model"}, None),
        ({"operations": ["ocr"]}, {"ocr"}),  # a Nexus service
        ({"nexus": {"operations": ["rerank"]}}, {"rerank"}),  # a Nexus gateway
        ({"type": "embeddings"}, {"embeddings"}),  # LM Studio
        ({"task": "automatic-speech-recognition"}, {"audio.transcriptions", "audio.translations"}),  # speaches
        ({"capabilities": ["completion"]}, {"chat.completions", "completions", "responses", "messages"}),  # llama.cpp
        ({"capabilities": {"completion_chat": True}}, None),
    ],
)
def test_what_they_say_of_a_model(entry: dict[str, Any], operations: set[str] | None) -> None:
    (listed,) = read_listing({"data": [{"id": "x", **entry}]})
    assert listed.operations == operations


@pytest.mark.parametrize(
    ("entry", "length"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"context_length": "many"}, None),
        ({"nexus": {"context_length": 5}}, 5),
        ({}, None),
    ],
)
def test_context(entry: dict[str, Any], length: int | None) -> None:
    assert read_listing({"data": [{"id": "x", **entry}]})[0].context_length == length


def test_lists_that_are_bare_empty_or_double() -> None:
    assert read_listing([{"id": "x"}, {"id": "x"}]) == (Listed("x"),)
    assert read_listing(None) == ()  # mlx-lm's 200 without a body


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": [{}]}, {"data": ["x"]}, "x"])
def test_what_is_no_list(answer: Any) -> None:
    with pytest.raises(ApiError):
        read_listing(answer)
