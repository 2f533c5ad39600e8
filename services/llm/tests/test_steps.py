"""The engine's chunks read into steps, and counted."""

from typing import Any

import pytest
from nexus_llm.steps import Tally, read_steps

from nexus.contract.errors import ApiError
from nexus.sdk.chat.steps import Step


def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **timings: int) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}], "timings": timings}


def test_roles_empty_deltas_and_progress_are_no_steps() -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}], "prompt_progress": {"total": 9}},
        chunk(0, {"role": "assistant", "content": None}),
        chunk(0, {"content": "a"}),
        chunk(0, {}, "stop"),
        {"choices": [], "usage": {}},
    ]
    assert list(read_steps(chunks, Tally())) == [Step(0, {"content": "a"}), Step(0, finish="stop")]


def test_the_older_endpoints_text_is_content() -> None:
    chunks = [{"choices": [{"index": 0, "text": "a", "finish_reason": "length"}]}]
    (step,) = read_steps(chunks, Tally())
    assert (step.text, step.finish) == ("a", "length")


def test_choices_share_a_prompt_and_add_up() -> None:
    tally = Tally()
    chunks = [
        chunk(0, {"content": "a"}, cache_n=5, prompt_n=2, predicted_n=1),
        chunk(1, {"content": "b"}, cache_n=6, prompt_n=1, predicted_n=1),
        chunk(0, {}, "stop", cache_n=5, prompt_n=2, predicted_n=3),
        chunk(1, {}, "stop", cache_n=6, prompt_n=1, predicted_n=4),
    ]
    list(read_steps(chunks, tally, 2))
    assert tally.usage() == {
        "prompt_tokens": 7,
        "completion_tokens": 7,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 5},
    }


def test_an_answer_that_just_ends_is_an_error() -> None:
    with pytest.raises(ApiError, match="before the answer was complete"):
        list(read_steps([chunk(0, {"content": "a"})], Tally()))


def test_log_probabilities_lose_the_engines_own_numbers() -> None:
    entry = {"id": 5, "token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": [{"id": 6, "token": "b"}]}
    told = chunk(0, {"content": "a"}, "stop")
    told["choices"][0]["logprobs"] = {"content": [entry]}
    (step,) = read_steps([told], Tally())
    assert step.logprobs == ({"token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": [{"token": "b"}]},)
