"""Chat over the simulator: what Ollama is asked, and what becomes of its answers."""

import json
from typing import Any

import pytest

from nexus.contract.errors import ApiError

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "description": "The time"}}
NAMED = {"type": "function", "function": {"name": "get_weather"}}


async def test_a_whole_answer(ollama: Any, conforms: Any) -> None:
    answer = await ollama.chat("one two", max_tokens=9, max_completion_tokens=3)
    conforms("CreateChatCompletionResponse", answer)
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "w0 w1 w2"
    assert choice["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    body = ollama.last()
    assert body["model"] == "qwen3:4b"
    assert body["options"] == {"num_predict": 3}
    assert (body["truncate"], body["shift"]) == (False, False)


async def test_a_stream(ollama: Any, conforms: Any) -> None:
    chunks = await ollama.chat(stream=True, stream_options={"include_usage": True})
    for chunk in chunks:
        conforms("CreateChatCompletionStreamResponse", chunk)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]) == "w0 w1 w2 w3"
    assert (chunks[-2]["choices"][0]["delta"], chunks[-2]["choices"][0]["finish_reason"]) == ({}, "stop")
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 4
    assert "usage" not in (await ollama.chat(stream=True))[-1]


async def test_thinking_is_reasoning_content(ollama: Any) -> None:
    answer = await ollama.chat(model="deepseek-r1:8b")
    message = answer["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Let me see.", "w0 w1 w2 w3")
    answer = await ollama.chat(model="deepseek-r1:8b", reasoning_effort="none")
    assert "reasoning_content" not in answer["choices"][0]["message"]
    assert ollama.last()["think"] is False


@pytest.mark.parametrize(("levels", "last"), [(False, True), (True, "high")])
async def test_an_effort_where_there_are_no_levels_is_thinking_itself(ollama: Any, levels: bool, last: Any) -> None:
    ollama.simulator.levels = levels
    answer = await ollama.chat(model="deepseek-r1:8b", reasoning_effort="high")
    assert answer["choices"][0]["message"]["reasoning_content"]
    assert ollama.last()["think"] == last


async def test_choices_are_generations_with_seeds_of_their_own(ollama: Any, conforms: Any) -> None:
    answer = await ollama.chat(n=3, seed=5)
    conforms("CreateChatCompletionResponse", answer)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 12
    assert answer["usage"]["prompt_tokens"] == 1
    assert [body["options"]["seed"] for body in ollama.simulator.bodies("/api/chat")] == [5, 6, 7]


async def test_formats(ollama: Any) -> None:
    await ollama.chat(response_format={"type": "json_object"})
    assert ollama.last()["format"] == "json"
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    answer = await ollama.chat(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
    assert ollama.last()["format"] == schema
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"age": 3}


async def test_logprobs(ollama: Any, conforms: Any) -> None:
    answer = await ollama.chat(logprobs=True, top_logprobs=1, max_tokens=2)
    conforms("CreateChatCompletionResponse", answer)
    content = answer["choices"][0]["logprobs"]["content"]
    assert [entry["token"] for entry in content] == ["w0", " w1"]
    assert content[1]["bytes"] == list(b" w1")
    assert content[0]["top_logprobs"][0]["logprob"] == -0.25


async def test_the_models_own_calls(ollama: Any, conforms: Any) -> None:
    answer = await ollama.chat("call twice", tools=[WEATHER], tool_choice="auto")
    conforms("CreateChatCompletionResponse", answer)
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert [json.loads(call["function"]["arguments"]) for call in choice["message"]["tool_calls"]] == [
        {"city": "Ålesund <&>"}
    ] * 2
    chunks = await ollama.chat("call twice", tools=[WEATHER], stream=True)
    deltas = [c["choices"][0]["delta"]["tool_calls"][0] for c in chunks if "tool_calls" in c["choices"][0]["delta"]]
    assert [delta["index"] for delta in deltas] == [0, 1]
    one = await ollama.chat("call twice", tools=[WEATHER], parallel_tool_calls=False)
    assert len(one["choices"][0]["message"]["tool_calls"]) == 1


async def test_no_tools_where_none_may_be_called(ollama: Any) -> None:
    answer = await ollama.chat("call", tools=[WEATHER], tool_choice="none")
    assert "tool_calls" not in answer["choices"][0]["message"]
    assert "tools" not in ollama.last()


@pytest.mark.parametrize("choice", ["required", NAMED])
async def test_a_demanded_call_is_written_under_its_schema(ollama: Any, conforms: Any, choice: Any) -> None:
    tools = [WEATHER] if choice == "required" else [TIME, WEATHER]
    answer = await ollama.chat("Oslo?", tools=tools, tool_choice=choice)
    conforms("CreateChatCompletionResponse", answer)
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Ålesund <&>"}
    body = ollama.last()
    assert body["format"] == WEATHER["function"]["parameters"]
    assert "tools" not in body
    assert "get_weather" in body["messages"][0]["content"]
    assert len(ollama.simulator.bodies("/api/chat")) == 1


async def test_of_several_tools_the_model_names_one_first(ollama: Any) -> None:
    answer = await ollama.chat("x", model="gemma3:latest", tools=[WEATHER, TIME], tool_choice="required", stream=True)
    names = ollama.simulator.bodies("/api/chat")[0]["format"]["properties"]["tool"]["enum"]
    assert names == ["get_weather", "get_time"]
    assert len(ollama.simulator.bodies("/api/chat")) == 2
    assert answer[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_call_that_was_cut_is_none(ollama: Any) -> None:
    answer = await ollama.chat("x", tools=[WEATHER], tool_choice=NAMED, max_tokens=1)
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "length"
    assert "tool_calls" not in choice["message"]


async def test_arguments_that_do_not_fit_are_an_error(ollama: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.chat("x", tools=[_with_enum()], tool_choice="required", stop="x")
    assert caught.value.status == 502


def _with_enum() -> dict[str, Any]:
    """A schema that the simulator's model does not keep to, as small models do where a grammar lets them."""
    parameters = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 2}}, "required": ["a"]}
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "no"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [WEATHER], "response_format": {"type": "json_object"}}, "response_format"),
        (
            {"tools": [WEATHER], "tool_choice": "required", "response_format": {"type": "json_object"}},
            "response_format",
        ),
        ({"tools": [WEATHER], "model": "gemma3:latest"}, "tools"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": 3}}}]},
            "tools[0].function.parameters",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
        ),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(ollama: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.chat("x", **fields)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert ollama.simulator.bodies("/api/chat") == []


async def test_a_prompt_over_the_context_is_refused_not_cut(ollama: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.chat("word " * 5000)
    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")
    answer = await ollama.chat("word " * 5000, num_ctx=8192)
    assert answer["usage"]["prompt_tokens"] == 5000


@pytest.mark.parametrize("said", ["fail midway", "break off", "garbage", "end early"])
async def test_a_stream_that_fails_is_never_a_finished_answer(ollama: Any, said: str) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.chat(f"count 5 {said}")
    assert caught.value.code == "upstream_error"
    with pytest.raises(ApiError) as caught:
        await ollama.chat(f"count 5 {said}", stream=True)
    assert caught.value.code == "upstream_error"
