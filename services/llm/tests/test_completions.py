"""Completions on the real model: prompts of every kind, several at once, echo, log probabilities, refusals."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.completions import Completion

Conforms = Callable[[str, Any], None]


def test_a_whole_completion(llm: Any, conforms: Conforms) -> None:
    answer = llm.complete(prompt="Once upon a time", max_tokens=5)
    Completion.model_validate_json(json.dumps(answer))
    conforms("CreateCompletionResponse", answer)
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"][0]["text"]
    assert answer["usage"]["completion_tokens"] == 5


def test_sixteen_tokens_unless_told_otherwise(llm: Any) -> None:
    assert llm.complete(prompt="Once upon a time")["usage"]["completion_tokens"] == 16


def test_a_stream_with_usage(llm: Any) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(llm.complete(prompt="Once upon a time", max_tokens=4, temperature=0, **options))
    for chunk in chunks:
        Completion.model_validate_json(json.dumps(chunk))
    text = "".join(chunk["choices"][0]["text"] for chunk in chunks[:-1])
    assert text == llm.complete(prompt="Once upon a time", max_tokens=4, temperature=0)["choices"][0]["text"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"]) == ([], 4)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_prompts_times_n_are_numbered_on_and_counted_together(llm: Any) -> None:
    answer = llm.complete(prompt=["Once", "Twice"], n=2, max_tokens=3, echo=True)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert [choice["text"][:4] for choice in answer["choices"]] == ["Once", "Once", "Twic", "Twic"]
    assert answer["usage"]["completion_tokens"] == 12


def test_tokens_are_taken_for_text(llm: Any) -> None:
    one = llm.complete(prompt=[504, 1165], max_tokens=3, temperature=0)
    both = llm.complete(prompt=[[504, 1165], [504]], max_tokens=3, temperature=0)
    assert one["usage"]["prompt_tokens"] == 2
    assert both["choices"][0]["text"] == one["choices"][0]["text"]


def test_log_probabilities_run_side_by_side(llm: Any, conforms: Conforms) -> None:
    answer = llm.complete(prompt="Once upon a time", max_tokens=3, logprobs=2)
    conforms("CreateCompletionResponse", answer)
    logprobs = answer["choices"][0]["logprobs"]
    assert {len(column) for column in logprobs.values()} == {3}
    assert logprobs["text_offset"][0] == 0
    assert all(len(top) <= 2 for top in logprobs["top_logprobs"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"suffix": "the end"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"prompt": [504], "echo": True}, "echo"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"n": 5}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(llm: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        llm.complete(**{"prompt": "x", **fields})
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_prompt_beyond_the_context_is_refused(llm: Any) -> None:
    with pytest.raises(ApiError) as caught:
        llm.complete(prompt="word " * 5000)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "prompt")
