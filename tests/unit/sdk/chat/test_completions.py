"""Completions made of steps, held against the contract's model."""

import json
from typing import Any

from nexus.contract.wire.completions import Completion
from nexus.sdk.chat.completions import CompletionChunks, WholeCompletion
from nexus.sdk.chat.heads import Head
from nexus.sdk.chat.steps import Step

HEAD = Head("cmpl-1", 5, "m", "fp")
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def token(text: str) -> dict[str, Any]:
    others = [{"token": text, "logprob": -1.0, "bytes": []}, {"token": "?", "logprob": -2.0, "bytes": []}]
    return {"token": text, "logprob": -1.0, "bytes": [], "top_logprobs": others}


STEPS = (
    Step(0, {"content": "ab"}, logprobs=(token("a"), token("b"))),
    Step(0, {"content": "c"}, "stop", (token("c"),)),
)


def streamed(*steps: Step, top: int | None = None, with_usage: bool = False) -> list[dict[str, Any]]:
    made = CompletionChunks(HEAD, top, with_usage=with_usage)
    chunks = [chunk for step in steps for chunk in made.take(step)] + list(made.end(USAGE))
    for chunk in chunks:
        Completion.model_validate_json(json.dumps(chunk))
    return chunks


def whole(*steps: Step, top: int | None = None) -> Any:
    made = WholeCompletion(HEAD, top)
    assert [item for step in steps for item in made.take(step)] == []
    (answer,) = made.end(USAGE)
    Completion.model_validate_json(json.dumps(answer))
    assert answer["usage"] == USAGE
    return answer["choices"]


def test_a_chunk_a_step() -> None:
    chunks = streamed(*STEPS)
    assert [chunk["choices"] for chunk in chunks] == [
        [{"index": 0, "text": "ab", "logprobs": None, "finish_reason": None}],
        [{"index": 0, "text": "c", "logprobs": None, "finish_reason": "stop"}],
    ]
    assert all(chunk["object"] == "text_completion" and "usage" not in chunk for chunk in chunks)


def test_usage_is_null_until_its_own_chunk() -> None:
    chunks = streamed(*STEPS, with_usage=True)
    assert [chunk["usage"] for chunk in chunks] == [None, None, USAGE]
    assert chunks[-1]["choices"] == []


def test_choices_are_put_together_in_their_order() -> None:
    choices = whole(Step(1, {"content": "x"}, "length"), *STEPS)
    assert choices == [
        {"index": 0, "text": "abc", "logprobs": None, "finish_reason": "stop"},
        {"index": 1, "text": "x", "logprobs": None, "finish_reason": "length"},
    ]


def test_log_probabilities_are_lists_side_by_side() -> None:
    (choice,) = whole(*STEPS, top=1)
    assert choice["logprobs"] == {
        "tokens": ["a", "b", "c"],
        "token_logprobs": [-1.0, -1.0, -1.0],
        "top_logprobs": [{"a": -1.0}, {"b": -1.0}, {"c": -1.0}],
        "text_offset": [0, 1, 2],
    }
    offsets = [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in streamed(*STEPS, top=2)]
    assert offsets == [[0, 1], [2]]
    assert streamed(*STEPS, top=2)[0]["choices"][0]["logprobs"]["top_logprobs"][0] == {"a": -1.0, "?": -2.0}


def test_none_where_the_engine_gave_none() -> None:
    assert whole(Step(0, {"content": "a"}), Step(0, finish="stop"), top=3)[0]["logprobs"] is None
