"""What the server is asked, and what it is never asked."""

import json
from typing import Any

import pytest
from nexus_mlx.asked import chat_body, completion_body, smallest_body

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def chat(**fields: Any) -> dict[str, Any]:
    request = ChatRequest.model_validate_json(json.dumps({"model": "mine", "messages": HELLO, **fields}))
    return chat_body(request, "org/name", 100)


def text(**fields: Any) -> dict[str, Any]:
    request = CompletionRequest.model_validate_json(json.dumps({"model": "mine", "prompt": "Once", **fields}))
    return completion_body(request, "org/name", 100)


def test_the_least() -> None:
    common = {"model": "org/name", "max_tokens": 100, "stream": True, "stream_options": {"include_usage": True}}
    assert chat() == {**common, "messages": HELLO}
    assert text() == {**common, "prompt": "Once"}
    assert text(prompt=["Once"])["prompt"] == "Once"
    assert smallest_body("x")["max_tokens"] == 1


def test_fields_go_on_and_nulls_do_not() -> None:
    fields = {"temperature": 0.5, "top_k": 3, "min_p": 0.1, "seed": 7, "stop": ["x"], "logit_bias": {"5": -1.0}}
    body = chat(**fields, top_p=None, user="me", chat_template_kwargs={"enable_thinking": False})
    assert {key: body[key] for key in fields} == fields
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert not body.keys() & {"top_p", "user"}


def test_the_newer_name_of_the_longest_answer_wins() -> None:
    assert chat(max_tokens=5)["max_tokens"] == 5
    assert chat(max_tokens=5, max_completion_tokens=9)["max_tokens"] == 9


@pytest.mark.parametrize("name", ["draft_model", "adapters", "role_mapping", "num_draft_tokens"])
def test_what_makes_the_server_fetch_or_change_things_never_goes_on(name: str) -> None:
    assert name not in chat(**{name: "somebody/else"})
    assert name not in text(**{name: "somebody/else"})


def test_messages() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = chat(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "5", "tool_call_id": "c"},
            {"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]},
        ],
        tools=[TOOL],
    )
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "5", "tool_call_id": "c"},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]},
    ]
    assert body["tools"] == [TOOL]


def test_no_tools_where_none_may_be_called() -> None:
    assert "tools" not in chat(tools=[TOOL], tool_choice="none")
    assert chat(tools=[TOOL], tool_choice="auto")["tools"] == [TOOL]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"chat_template_kwargs": "x"}, "chat_template_kwargs"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].type",
        ),
    ],
)
def test_what_the_server_cannot_do_is_refused_by_name(fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        chat(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 1}, "logprobs"),
        ({"echo": True}, "echo"),
        ({"suffix": "end"}, "suffix"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
    ],
)
def test_completions_too(fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        text(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)
