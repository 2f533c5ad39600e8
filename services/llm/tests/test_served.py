"""The service as its clients see it: served in a process of its own, asked by the official client."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

FOLDER = Path(__file__).parents[1]
HELLO: Any = [{"role": "user", "content": "Say hello."}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


@pytest.fixture(scope="module")
def client(serve: Any) -> Iterator[openai.OpenAI]:
    with serve(FOLDER) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["smollm2-135m-instruct"]


def test_chat_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="smollm2", messages=HELLO, max_tokens=6, temperature=0)
    assert whole.choices[0].message.content
    stream = client.chat.completions.create(
        model="smollm2",
        messages=HELLO,
        max_tokens=6,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage
    assert whole.usage
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_streamed_tool_calls_as_the_client_puts_them_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="smollm2", messages=HELLO, tools=TOOLS, tool_choice="required", max_tokens=300
    ) as stream:
        completion = stream.get_final_completion()
    (call,) = completion.choices[0].message.tool_calls or ()
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)


def test_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="smollm2", prompt="Once upon a time", max_tokens=4)
    assert answer.choices[0].text


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="smollm2", messages=[{"role": "user", "content": "word " * 9000}])
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="smollm2", messages=[])
    with pytest.raises(openai.BadRequestError, match="oracle"):
        client.chat.completions.create(model="smollm2", messages=[{"role": "oracle", "content": "x"}])  # type: ignore[list-item]
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="unheard-of", messages=HELLO)
