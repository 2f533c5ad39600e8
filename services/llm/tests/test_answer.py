"""From steps to OpenAI's answers, without a model."""

from typing import Any

import pytest
from nexus_llm.answer import Head, chat_answer, chat_chunks
from nexus_llm.steps import Step

from nexus.contract.errors import ApiError

HEAD = Head("chatcmpl-1", 5, "m", "fp")
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def call(arguments: str, **head: Any) -> Step:
    delta = {"index": 0, **head, "function": {"arguments": arguments, **({"name": "f"} if head else {})}}
    return Step(0, {"tool_calls": [delta]})


def whole(*steps: Step) -> Any:
    return chat_answer(steps, HEAD, lambda: USAGE)["choices"][0]


def test_text_is_joined() -> None:
    choice = whole(Step(0, {"content": "a"}), Step(0, {"content": "b"}), Step(0, finish="stop"))
    assert choice["message"] == {"role": "assistant", "refusal": None, "content": "ab"}
    assert choice["finish_reason"] == "stop"


def test_calls_are_joined() -> None:
    choice = whole(call("", id="call_1", type="function"), call('{"a":'), call("1}"), Step(0, finish="tool_calls"))
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]


def test_a_call_cut_off_is_left_out_only_where_length_says_so() -> None:
    cut = (call("", id="call_1", type="function"), call('{"a":'))
    assert "tool_calls" not in whole(*cut, Step(0, finish="length"))["message"]
    with pytest.raises(ApiError):
        whole(*cut, Step(0, finish="tool_calls"))


def test_no_text_at_all_is_an_empty_text() -> None:
    assert whole(Step(0, finish="stop"))["message"]["content"] == ""


def test_a_stream_begins_with_the_role_and_ends_with_the_reason() -> None:
    steps = [Step(0, {"content": "a"}), Step(0, finish="stop")]
    chunks = list(chat_chunks(steps, HEAD, None))
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "a"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert all("usage" not in chunk for chunk in chunks)


def test_usage_is_null_until_its_own_chunk() -> None:
    chunks = list(chat_chunks([Step(0, finish="stop")], HEAD, lambda: USAGE))
    assert [chunk["usage"] for chunk in chunks] == [None, None, USAGE]
    assert chunks[-1]["choices"] == []


def test_log_probabilities_lose_the_engines_own_numbers() -> None:
    entry = {"id": 5, "token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": [{"id": 6, "token": "b"}]}
    choice = whole(Step(0, {"content": "a"}, logprobs={"content": [entry]}), Step(0, finish="stop"))
    assert choice["logprobs"]["content"] == [
        {"token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": [{"token": "b"}]}
    ]
