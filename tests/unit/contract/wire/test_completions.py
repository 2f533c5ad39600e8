"""Completions: the four kinds of prompt, and the one shape of answers and chunks."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.completions import Completion, CompletionRequest


def request(**fields: Any) -> CompletionRequest:
    return CompletionRequest.model_validate_json(json.dumps({"model": "m", **fields}))


@pytest.mark.parametrize(
    ("prompt", "read"),
    [("a", "a"), (["a", "b"], ("a", "b")), ([1, 2], (1, 2)), ([[1], [2, 3]], ((1,), (2, 3)))],
)
def test_the_four_kinds_of_prompt(prompt: Any, read: Any) -> None:
    assert request(prompt=prompt).prompt == read


@pytest.mark.parametrize("prompt", [None, 5, [], [1, "a"], [-1], [["a"]], {"text": "a"}])
def test_other_prompts_are_refused(prompt: Any) -> None:
    with pytest.raises(ValidationError):
        request(prompt=prompt)


@pytest.mark.parametrize("fields", [{"logprobs": 6}, {"logprobs": True}, {"best_of": 0}, {"echo": "yes"}])
def test_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(prompt="a", **fields)


def test_an_answer_and_a_chunk_have_one_shape() -> None:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    choice = {"index": 0, "text": "x", "logprobs": None, "finish_reason": None}
    assert Completion.model_validate_json(json.dumps({**head, "choices": [choice]})).choices[0].text == "x"
    assert Completion.model_validate_json(json.dumps({**head, "choices": []})).usage is None
