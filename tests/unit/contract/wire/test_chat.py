"""Chat completions: requests as OpenAI takes them, answers and chunks as clients read them."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.chat import ChatCompletion, ChatCompletionChunk, ChatRequest, JsonSchemaFormat

LEAST: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": "m"}


def request(**changes: Any) -> ChatRequest:
    return ChatRequest.model_validate_json(json.dumps({**LEAST, **changes}))


def test_null_means_absent() -> None:
    names = [name for name in ChatRequest.model_fields if name not in LEAST]
    assert request(**dict.fromkeys(names)).model_dump(exclude_unset=False) == request().model_dump()


def test_everything_at_once_is_read() -> None:
    read = request(
        stop=["a", "b"],
        stream=True,
        stream_options={"include_usage": True},
        temperature=1,
        top_p=0.5,
        seed=-1,
        n=2,
        logit_bias={"5": -100},
        logprobs=True,
        top_logprobs=3,
        max_completion_tokens=5,
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        response_format={"type": "text"},
        metadata={"a": "b"},
    )
    assert read.stop == ("a", "b")
    assert read.model_extra == {"metadata": {"a": "b"}}


def test_a_json_schema_format_keeps_its_schema() -> None:
    read = request(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}})
    assert isinstance(read.response_format, JsonSchemaFormat)
    assert read.response_format.json_schema.schema_ == {"type": "null"}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stop": 5}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"tools": [{"type": "hammer"}]}, "tools"),
        ({"tool_choice": "maybe"}, "tool_choice"),
    ],
)
def test_what_openai_refuses_is_refused_by_name(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**changes)
    assert caught.value.errors()[0]["loc"][0] == where


def test_a_request_without_a_model_is_refused() -> None:
    with pytest.raises(ValidationError):
        ChatRequest.model_validate_json('{"messages": [{"role": "user", "content": "x"}]}')


def test_an_answer() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    body = {**HEAD, "object": "chat.completion", "choices": [choice], "usage": usage}
    assert ChatCompletion.model_validate_json(json.dumps(body)).choices[0].message.content == "x"
    with pytest.raises(ValidationError):
        ChatCompletion.model_validate_json(json.dumps({**body, "choices": [{**choice, "finish_reason": None}]}))


@pytest.mark.parametrize(
    "choices",
    [
        [],
        [{"index": 0, "delta": {}, "finish_reason": "length"}],
        [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
        [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}}],
    ],
)
def test_chunks(choices: list[Any]) -> None:
    body = {**HEAD, "object": "chat.completion.chunk", "choices": choices, "usage": None}
    assert ChatCompletionChunk.model_validate_json(json.dumps(body)).usage is None


def test_the_request_has_a_json_schema_for_the_card() -> None:
    assert ChatRequest.model_json_schema()["required"] == ["model", "messages"]
