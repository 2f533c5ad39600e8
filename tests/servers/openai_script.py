"""One script for every chat service: what people do with the official client, asked of a served service unchanged."""

import json
from typing import Any

import openai
import pytest

HELLO: Any = [{"role": "user", "content": "Say hello."}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 40}},
                "required": ["city"],
            },
        },
    }
]
PERSON: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "schema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 40},
                "age": {"type": "integer", "minimum": 0, "maximum": 150},
            },  # bounded: a small model ends no text and no number by itself
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}


def run_chat_script(client: openai.OpenAI, model: str) -> None:
    """Ask everything of `model`; whatever does not hold is an AssertionError or the client's own error."""
    assert model in [one.id for one in client.models.list()]
    _whole_and_streamed(client, model)
    _limits_and_choices(client, model)
    _schema(client, model)
    _tools(client, model)
    _leaves_early(client, model)
    _refusals(client, model)


def _whole_and_streamed(client: openai.OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=HELLO, max_tokens=6, temperature=0, seed=1)
    assert whole.object == "chat.completion"
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].message.content
    assert whole.usage
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=HELLO,
            max_tokens=6,
            temperature=0,
            seed=1,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1


def _limits_and_choices(client: openai.OpenAI, model: str) -> None:
    cut = client.chat.completions.create(model=model, messages=HELLO, max_completion_tokens=2)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage
    assert cut.usage.completion_tokens <= 2
    two = client.chat.completions.create(model=model, messages=HELLO, n=2, max_tokens=4)
    assert [choice.index for choice in two.choices] == [0, 1]


def _schema(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Invent a person."}], response_format=PERSON, max_tokens=200
    )
    person = json.loads(answer.choices[0].message.content or "")
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)


def _tools(client: openai.OpenAI, model: str) -> None:
    asked: Any = [{"role": "user", "content": "What is the weather in Oslo?"}]
    answer = client.chat.completions.create(
        model=model, messages=asked, tools=TOOLS, tool_choice="required", max_tokens=200
    )
    (call,) = answer.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    with client.chat.completions.stream(
        model=model, messages=asked, tools=TOOLS, tool_choice=named, max_tokens=200
    ) as stream:
        streamed = stream.get_final_completion()
    (again,) = streamed.choices[0].message.tool_calls or ()
    assert again.function.name == "get_weather"
    history: Any = [
        *asked,
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "4 degrees, rain"},
    ]
    told = client.chat.completions.create(model=model, messages=history, tools=TOOLS, tool_choice="none", max_tokens=12)
    assert told.choices[0].message.content
    assert not told.choices[0].message.tool_calls


def _leaves_early(client: openai.OpenAI, model: str) -> None:
    stream = client.chat.completions.create(model=model, messages=HELLO, max_tokens=50, stream=True)
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=model, messages=HELLO, max_tokens=2).choices


def _refusals(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="unheard-of", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=model, messages=[])
    with pytest.raises(openai.BadRequestError) as unknown:
        client.chat.completions.create(
            model=model, messages=HELLO, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "nosuch"}}
        )
    assert unknown.value.message
