"""What requests mean, and what of them is refused by name."""

import json
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.requests import MOST_PROMPTS, answer_limit, offered_tools, prompts, stops


def chat(**fields: Any) -> ChatRequest:
    fields = {"model": "x", "messages": [{"role": "user", "content": "?"}], **fields}
    return ChatRequest.model_validate_json(json.dumps(fields))


def completion(**fields: Any) -> CompletionRequest:
    return CompletionRequest.model_validate_json(json.dumps({"model": "x", "prompt": "?", **fields}))


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name}} for name in names]


def test_the_newer_limit_goes_before_the_older() -> None:
    assert answer_limit(chat()) is answer_limit(completion()) is None
    assert answer_limit(chat(max_tokens=5)) == answer_limit(completion(max_tokens=5)) == 5
    assert answer_limit(chat(max_tokens=5, max_completion_tokens=3)) == 3


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (chat(max_tokens=0), "max_tokens"),
        (chat(max_completion_tokens=0, max_tokens=5), "max_completion_tokens"),
        (completion(max_tokens=0), "max_tokens"),
    ],
)
def test_an_answer_of_nothing_is_refused(request_: ChatRequest | CompletionRequest, param: str) -> None:
    with pytest.raises(ApiError, match="at least 1") as caught:
        answer_limit(request_)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_stops() -> None:
    assert stops(chat()) == []
    assert stops(chat(stop="a")) == ["a"]
    assert stops(completion(stop=["a", "b"])) == ["a", "b"]
    with pytest.raises(ApiError) as caught:
        stops(chat(stop=["a", ""]))
    assert caught.value.param == "stop"


def test_prompts_of_every_kind() -> None:
    assert prompts(completion(prompt="a")) == ["a"]
    assert prompts(completion(prompt=["a", "b"])) == ["a", "b"]
    assert prompts(completion(prompt=[1, 2])) == [[1, 2]]
    assert prompts(completion(prompt=[[1], [2, 3]])) == [[1], [2, 3]]


@pytest.mark.parametrize("prompt", ["", ["a", ""], ["a"] * (MOST_PROMPTS + 1)])
def test_prompts_that_are_refused(prompt: Any) -> None:
    with pytest.raises(ApiError) as caught:
        prompts(completion(prompt=prompt))
    assert (caught.value.status, caught.value.param) == (400, "prompt")


def test_which_tools_are_on_offer() -> None:
    def offered(**fields: Any) -> list[str]:
        return [tool.function.name for tool in offered_tools(chat(**fields))]

    named = {"type": "function", "function": {"name": "b"}}
    assert offered() == []
    for choice in (None, "auto", "required"):
        assert offered(tools=tools("a", "b"), tool_choice=choice) == ["a", "b"]
    assert offered(tools=tools("a", "b"), tool_choice="none") == []
    assert offered(tools=tools("a", "b"), tool_choice=named) == ["b"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": tools("a", "a")}, "tools"),
        ({"tools": tools("a"), "tool_choice": {"type": "function", "function": {"name": "b"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
)
def test_choices_that_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        offered_tools(chat(**fields))
    assert (caught.value.status, caught.value.param) == (400, param)
