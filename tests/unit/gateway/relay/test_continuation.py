"""Which requests a model can be asked to continue, and how."""

import json
from typing import Any

import pytest

from nexus.gateway.relay.continuation import continued_body
from nexus.gateway.relay.transcript import Delivered, Said

USER = {"role": "user", "content": "Hi"}
HELLO = Delivered(choices={0: Said({("content", -1): "Hello"}, ("content", -1), role=True)}, pieces=3)
TEXT = Delivered(choices={0: Said({("text", -1): " world"}, ("text", -1))}, pieces=2)


def continued(delivered: Delivered = HELLO, **body: Any) -> Any:
    made = continued_body(json.dumps(body).encode(), delivered)
    return None if made is None else json.loads(made)


def test_a_chat_ends_with_the_assistants_own_words() -> None:
    assert continued(model="m", messages=[USER], stream=True, seed=1, max_tokens=10, max_completion_tokens=2) == {
        "model": "m",
        "messages": [USER, {"role": "assistant", "content": "Hello"}],
        "stream": True,
        "seed": 1,
        "max_tokens": 7,
        "max_completion_tokens": 1,
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


def test_the_clients_own_beginning_is_gone_on_with() -> None:
    body = continued(messages=[USER, {"role": "assistant", "content": "Oh. "}])
    assert body["messages"] == [USER, {"role": "assistant", "content": "Oh. Hello"}]


@pytest.mark.parametrize("prompt", ["Hello", ["Hello"]])
def test_a_text_is_put_behind_its_prompt(prompt: Any) -> None:
    assert continued(TEXT, prompt=prompt, max_tokens=5) == {"prompt": "Hello world", "max_tokens": 3}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [USER], "n": 2},
        {"messages": [USER], "response_format": {"type": "json_object"}},
        {"messages": [USER], "response_format": "json"},
        {"messages": [USER], "tool_choice": "required"},
        {"messages": [USER], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"messages": [USER], "logprobs": True},
        {"messages": [USER], "grammar": "root ::= x"},
        {"messages": [USER], "echo": True},
        {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]},
        {"messages": []},
        {"messages": "Hi"},
        {},
    ],
)
def test_some_wishes_hold_from_the_first_letter(body: dict[str, Any]) -> None:
    assert continued(**body) is None


@pytest.mark.parametrize("body", [{"prompt": [1, 2]}, {"prompt": ["a", "b"]}, {"prompt": "a", "suffix": "b"}, {}])
def test_some_prompts_have_no_one_end(body: dict[str, Any]) -> None:
    assert continued(TEXT, **body) is None


@pytest.mark.parametrize(
    "delivered",
    [
        Delivered(),
        Delivered(choices={0: Said(role=True)}),
        Delivered(choices={1: Said({("content", -1): "x"})}),
        Delivered(choices={0: Said({("content", -1): "x"}), 1: Said()}),
        Delivered(choices={0: Said({("content", -1): "x"}, finished=True)}),
        Delivered(choices={0: Said({("content", -1): "x", ("reasoning", -1): "y"})}),
        Delivered(choices={0: Said({("content", -1): "x"}, calls=frozenset((0,)))}),
        Delivered(choices={0: Said({("arguments", 0): "{"}, calls=frozenset((0,)))}),
    ],
)
def test_only_one_answer_in_plain_words_is_continued(delivered: Delivered) -> None:
    assert continued(delivered, messages=[USER]) is None


def test_auto_tools_and_plain_text_are_no_hindrance() -> None:
    body = continued(messages=[USER], tools=[{}], tool_choice="auto", response_format={"type": "text"}, n=1)
    assert body["messages"][-1]["content"] == "Hello"


def test_a_body_that_is_no_object_is_not_continued() -> None:
    assert continued_body(b"[]", HELLO) is None
