"""The pure parts of emulated tool calls: reading them back, telling the conversation, offering and deciding."""

import json
import socket
from itertools import count, pairwise
from typing import Any

import pytest
from nexus_llm.schema import Constraint, Limits
from nexus_llm.tools import CallReader, Offer, briefing, deciding_messages, offer, without_tools

from nexus.contract.wire.tools import FunctionTool

WRITTEN = '[{"name":"f","arguments":{"a":"}]\\" {","b":[{"c":1}]}},\n {"name": "g\\u0041", "arguments": {}}]'


def reader() -> CallReader:
    numbers = count(1)
    return CallReader(lambda: f"call_{next(numbers)}")


def tool(name: str, parameters: Any = None, **more: Any) -> FunctionTool:
    function = {"name": name, "parameters": parameters, **more}
    return FunctionTool.model_validate_json(json.dumps({"type": "function", "function": function}))


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_calls_are_read_alike_in_any_cuts(step: int) -> None:
    read = reader()
    edges = [*range(0, len(WRITTEN), step), len(WRITTEN)]
    deltas = [delta for start, end in pairwise(edges) for delta in read.feed(WRITTEN[start:end])]
    assert read.finished == [("f", '{"a":"}]\\" {","b":[{"c":1}]}'), ("gA", "{}")]
    assert read.complete
    heads = [delta for delta in deltas if "id" in delta]
    assert [(head["index"], head["id"], head["function"]) for head in heads] == [
        (0, "call_1", {"name": "f", "arguments": ""}),
        (1, "call_2", {"name": "gA", "arguments": ""}),
    ]
    first = "".join(delta["function"]["arguments"] for delta in deltas if delta["index"] == 0)
    assert first == read.finished[0][1]


@pytest.mark.parametrize("length", range(1, 30, 3))
def test_a_half_written_call_is_not_complete(length: int) -> None:
    read = reader()
    read.feed(WRITTEN[:length])
    assert not read.complete
    assert read.finished == []


def test_text_is_no_call() -> None:
    read = reader()
    assert read.feed("The weather is fine.") == []
    assert not read.complete


def test_history_is_told_in_words_that_every_template_knows() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    told = without_tools(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Do it."},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
            {"role": "user", "content": "Thanks."},
        ],
        "You have tools.",
    )
    assert told == [
        {"role": "system", "content": "You have tools.\n\nBe brief."},
        {"role": "user", "content": "Do it."},
        {"role": "assistant", "content": '[{"name": "f", "arguments": {"a": 1}}]'},
        {"role": "user", "content": "The tool f answered: done\n\nThanks."},
    ]


def test_the_briefing_lists_every_tool() -> None:
    text = briefing([tool("f", {"type": "object"}, description="does f"), tool("g")])
    assert '"does f"' in text
    assert '"g"' in text


def test_two_tools_keep_their_own_definitions() -> None:
    def schema(kind: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/x"}},
            "required": ["x"],
            "$defs": {"x": {"type": kind}},
        }

    offered = offer([tool("f", schema("integer")), tool("g", schema("boolean"))], Limits(), most=2)
    assert offered.exact
    assert offered.fits("f", '{"x": 1}')
    assert not offered.fits("g", '{"x": 1}')
    assert not offered.fits("f", "{")
    assert offered.constraint.schema["maxItems"] == 2


def test_the_deciding_question_has_examples_of_each_tool_and_of_none() -> None:
    messages = deciding_messages([tool("f", description="Do F"), tool("do_g")], "Now what?")
    answers = {message["content"] for message in messages if message["role"] == "assistant"}
    assert answers == {"f", "do_g", "none"}
    assert messages[-1] == {"role": "user", "content": "Now what?"}
    assert {"role": "user", "content": "Please do g"} in messages


def test_a_schema_that_points_elsewhere_is_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        parameters = {
            "type": "object",
            "properties": {"a": {"$ref": f"http://127.0.0.1:{listener.getsockname()[1]}/x"}},
        }
        offered = Offer({"f": parameters}, Constraint({}), exact=False)
        assert not offered.fits("f", '{"a": 1}')
        with pytest.raises(BlockingIOError):
            listener.accept()
