"""Tool calls on the real model, whose template knows no tools: every choice, whole and streamed, always valid."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nexus_llm.chat import UnfitCallError

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatCompletion, ChatCompletionChunk

Conforms = Callable[[str, Any], None]

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city"],
}
TIME = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}
SCHEMAS = {"get_weather": WEATHER, "get_time": TIME}


def tool(name: str, description: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters or SCHEMAS[name], **more},
    }


TOOLS = [
    tool("get_weather", "Get the current weather in a city"),
    tool("get_time", "Get the current time in a time zone"),
]
ASKED = [{"role": "user", "content": "What time is it in Tokyo?"}]


def calls_of(answer: Any) -> list[Any]:
    return answer["choices"][0]["message"].get("tool_calls", [])


def assert_valid(calls: list[Any], schemas: dict[str, Any] = SCHEMAS) -> None:
    assert calls
    for call in calls:
        Draft202012Validator(schemas[call["function"]["name"]]).validate(json.loads(call["function"]["arguments"]))


def joined(chunks: list[Any]) -> list[Any]:
    """The calls that a client puts together from the deltas, as the official one does."""
    calls: dict[int, Any] = {}
    for chunk in chunks:
        for delta in chunk["choices"][0]["delta"].get("tool_calls", ()):
            if delta["index"] not in calls:
                assert delta["id"]
                assert delta["function"]["name"]
                calls[delta["index"]] = {"id": delta["id"], "function": dict(delta["function"])}
            else:
                assert delta.keys() == {"index", "function"}
                calls[delta["index"]]["function"]["arguments"] += delta["function"]["arguments"]
    return [calls[index] for index in sorted(calls)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_required_calls_a_tool_with_valid_arguments(llm: Any, conforms: Conforms, seed: int) -> None:
    answer = llm.chat(messages=ASKED, tools=TOOLS, tool_choice="required", seed=seed, temperature=1.5)
    ChatCompletion.model_validate_json(json.dumps(answer))
    conforms("CreateChatCompletionResponse", answer)
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert answer["choices"][0]["message"]["content"] is None
    assert_valid(calls_of(answer))


@pytest.mark.parametrize("name", ["get_weather", "get_time"])
def test_a_named_tool_is_the_one_called(llm: Any, name: str) -> None:
    choice = {"type": "function", "function": {"name": name}}
    calls = calls_of(llm.chat(messages=ASKED, tools=TOOLS, tool_choice=choice))
    assert_valid(calls)
    assert {call["function"]["name"] for call in calls} == {name}


def test_none_calls_nothing(llm: Any) -> None:
    answer = llm.chat(messages=ASKED, tools=TOOLS, tool_choice="none", max_tokens=12)
    assert not calls_of(answer)
    assert answer["choices"][0]["message"]["content"]


def test_auto_leaves_it_to_the_model(llm: Any) -> None:
    wish = [{"role": "user", "content": "Please get the current time in a time zone."}]
    answer = llm.chat(messages=wish, tools=TOOLS, temperature=0)
    assert_valid(calls_of(answer))
    assert calls_of(answer)[0]["function"]["name"] == "get_time"
    greeting = [{"role": "user", "content": "Hello!"}]
    answer = llm.chat(messages=greeting, tools=TOOLS, tool_choice="auto", temperature=0, max_tokens=8)
    assert not calls_of(answer)
    assert answer["choices"][0]["message"]["content"]


def test_streamed_calls_come_in_openais_deltas(llm: Any, conforms: Conforms) -> None:
    chunks = list(llm.chat(messages=ASKED, tools=TOOLS, tool_choice="required", stream=True))
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(json.dumps(chunk))
        conforms("CreateChatCompletionStreamResponse", chunk)
    first = chunks[0]["choices"][0]["delta"]
    assert (first["role"], first["content"]) == ("assistant", None)
    assert chunks[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "tool_calls"}
    pieces = [chunk for chunk in chunks if chunk["choices"][0]["delta"].get("tool_calls")]
    assert len(pieces) > 3, "the arguments came in one piece"
    assert_valid(joined(chunks))


def test_one_call_alone_without_parallel_calls(make_driven: Callable[..., Any]) -> None:
    driven = make_driven(context_length=1024, max_calls=4)
    try:
        for seed in range(3):
            fields = {"messages": ASKED, "tools": TOOLS, "tool_choice": "required", "seed": seed}
            assert len(calls_of(driven.chat(**fields, parallel_tool_calls=False))) == 1
            several = calls_of(driven.chat(**fields))
            assert_valid(several)
            assert len({call["id"] for call in several}) == len(several) <= 4
    finally:
        driven.engine.unload(driven.model)


def test_a_call_that_is_cut_off_is_not_dressed_as_finished(llm: Any) -> None:
    answer = llm.chat(messages=ASKED, tools=TOOLS, tool_choice="required", max_tokens=8)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert not calls_of(answer)
    chunks = list(llm.chat(messages=ASKED, tools=TOOLS, tool_choice="required", max_tokens=8, stream=True))
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_the_conversation_goes_on_after_a_tools_answer(llm: Any) -> None:
    message = llm.chat(messages=ASKED, tools=TOOLS, tool_choice="required")["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "It is 09:41."}
    answer = llm.chat(messages=[*ASKED, message, result], tools=TOOLS, max_tokens=16, temperature=0)
    assert not calls_of(answer)
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] > 60


DEEP = {
    "type": "object",
    "properties": {
        "where": {"$ref": "#/$defs/place"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "level": {"type": "integer", "minimum": 3, "maximum": 9},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "note": {"type": ["string", "null"]},
        "extra": {"type": "object"},
    },
    "required": ["where", "tags", "level", "share", "note", "extra"],
    "$defs": {"place": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_demanding_schema_is_kept_and_ends(llm: Any, seed: int) -> None:
    tools = [tool("file_report", "File a report", DEEP, strict=True)]
    answer = llm.chat(messages=ASKED, tools=tools, tool_choice="required", seed=seed, temperature=1)
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert_valid(calls_of(answer), {"file_report": DEEP})


def test_a_tool_without_parameters_is_called_with_an_empty_object(llm: Any) -> None:
    bare = {"type": "function", "function": {"name": "ping"}}
    (call,) = calls_of(llm.chat(messages=ASKED, tools=[bare], tool_choice="required"))
    assert call["function"] == {"name": "ping", "arguments": "{}"}


CHOOSY = {
    "type": "object",
    "properties": {"picks": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "maxItems": 2}},
    "required": ["picks"],
}


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_grammar_cannot_enforce_is_checked_before_it_is_told(llm: Any, stream: bool) -> None:
    tools = [tool("choose", "Choose", CHOOSY)]
    for seed in range(4):
        fields = {"messages": ASKED, "tools": tools, "tool_choice": "required", "seed": seed, "temperature": 1.5}
        with suppress(UnfitCallError):
            answer = llm.chat(**fields, stream=stream)
            assert_valid(joined(list(answer)) if stream else calls_of(answer), {"choose": CHOOSY})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [tool("choose", "x", CHOOSY, strict=True)]}, "tools[0].function.parameters"),
        ({"tools": [tool("bad", "x", {"type": "zorg"})]}, "tools[0].function.parameters"),
        ({"tools": [*TOOLS, TOOLS[0]]}, "tools"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
)
def test_bad_tools_are_refused_by_name(llm: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        llm.chat(**{"tool_choice": "required", **fields})
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_template_that_knows_tools_renders_them_itself(tool_llm: Any) -> None:
    plain = tool_llm.chat(messages=ASKED, max_tokens=4)
    answer = tool_llm.chat(messages=ASKED, tools=TOOLS, max_tokens=4)
    assert answer["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 50
    none = tool_llm.chat(messages=ASKED, tools=TOOLS, tool_choice="none", max_tokens=4)
    assert none["choices"][0]["message"]["content"]


def test_a_demanded_call_is_held_to_with_every_template(tool_llm: Any) -> None:
    assert_valid(calls_of(tool_llm.chat(messages=ASKED, tools=TOOLS, tool_choice="required")))
    named = {"type": "function", "function": {"name": "get_weather"}}
    (call,) = calls_of(tool_llm.chat(messages=ASKED, tools=TOOLS, tool_choice=named))
    assert call["function"]["name"] == "get_weather"


def test_tools_and_a_response_format_together_need_a_template_without_tools(tool_llm: Any) -> None:
    with pytest.raises(ApiError) as caught:
        tool_llm.chat(messages=ASKED, tools=TOOLS, response_format={"type": "json_object"})
    assert caught.value.param == "response_format"
