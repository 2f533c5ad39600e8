"""From OpenAI's request to the engine's fields."""

import json
from typing import Any

import pytest
from nexus_llm.options import read_options
from nexus_llm.request import chat_sampling, plain_messages
from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest


def request(**fields: Any) -> ChatRequest:
    messages = fields.pop("messages", [{"role": "user", "content": "x"}])
    return ChatRequest.model_validate_json(json.dumps({"model": "m", "messages": messages, **fields}))


def test_nothing_asked_for_is_nothing_sent() -> None:
    assert chat_sampling(request(), 4) == {}


def test_every_field_is_translated() -> None:
    body = chat_sampling(
        request(temperature=0.5, seed=-1, stop="a", logit_bias={"5": -100}, logprobs=True, max_tokens=9, top_k=3), 4
    )
    assert body == {
        "temperature": 0.5,
        "seed": 0xFFFFFFFE,
        "cache_prompt": False,
        "stop": ["a"],
        "logit_bias": [[5, -100]],
        "logprobs": True,
        "top_logprobs": 0,
        "max_tokens": 9,
        "top_k": 3,
    }


def test_the_newer_name_of_the_limit_wins() -> None:
    assert chat_sampling(request(max_tokens=9, max_completion_tokens=5), 4) == {"max_tokens": 5}


@pytest.mark.parametrize("seed", [0, 1, -1, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)])
def test_every_seed_is_one_of_the_engines(seed: int) -> None:
    assert 0 <= chat_sampling(request(seed=seed), 4)["seed"] < 2**32 - 1


def test_messages_for_a_template() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    plain = plain_messages(
        request(
            messages=[
                {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": "done"},
            ]
        ).messages
    )
    assert plain == [
        {"role": "system", "content": "ab"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "done", "tool_call_id": "c"},
    ]


def test_several_choices_are_bounded_by_the_sequences() -> None:
    assert chat_sampling(request(n=2), 2) == {"n": 2}
    with pytest.raises(ApiError, match="at most 2"):
        chat_sampling(request(n=3), 2)


@pytest.mark.parametrize("options", [{"kv_cache": "q2"}, {"max_string_chars": 0}, {"colour": "green"}])
def test_bad_options_are_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        read_options(options)
