"""Tools: what may be offered, how one is chosen, how calls come."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nexus.contract.wire.tools import FunctionTool, NamedToolChoice, ToolCall, ToolCallDelta, ToolChoice

CHOICE: TypeAdapter[Any] = TypeAdapter(ToolChoice)


def test_a_tool_needs_only_a_name() -> None:
    tool = FunctionTool.model_validate_json('{"type": "function", "function": {"name": "get_time"}}')
    assert tool.function.parameters is None
    assert tool.function.strict is None


@pytest.mark.parametrize("name", ["", "two words", "a.b", "x" * 65])
def test_names_are_openais(name: str) -> None:
    with pytest.raises(ValidationError):
        FunctionTool.model_validate_json(json.dumps({"type": "function", "function": {"name": name}}))


@pytest.mark.parametrize("word", ["none", "auto", "required"])
def test_choices_in_words(word: str) -> None:
    assert CHOICE.validate_json(json.dumps(word)) == word


def test_a_named_choice() -> None:
    choice = CHOICE.validate_json('{"type": "function", "function": {"name": "a"}}')
    assert isinstance(choice, NamedToolChoice)
    assert choice.function.name == "a"


@pytest.mark.parametrize("choice", ["any", {"type": "function"}, 1])
def test_other_choices_are_refused(choice: Any) -> None:
    with pytest.raises(ValidationError):
        CHOICE.validate_json(json.dumps(choice))


def test_a_call_and_its_pieces() -> None:
    call = ToolCall.model_validate_json('{"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}')
    assert call.function.arguments == "{}"
    piece = ToolCallDelta.model_validate_json('{"index": 0, "function": {"arguments": "{"}}')
    assert (piece.id, piece.function and piece.function.arguments) == (None, "{")
    with pytest.raises(ValidationError):
        ToolCallDelta.model_validate_json('{"function": {"arguments": "{"}}')
