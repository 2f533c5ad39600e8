"""Chat messages: one shape a role, the content a string or parts."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from nexus.contract.wire.messages import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage

MESSAGE: TypeAdapter[Any] = TypeAdapter(Message)


def read(message: Any) -> Any:
    return MESSAGE.validate_json(json.dumps(message))


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ({"role": "system", "content": "x"}, SystemMessage),
        ({"role": "developer", "content": "x"}, SystemMessage),
        ({"role": "user", "content": "x", "name": "bob"}, UserMessage),
        ({"role": "assistant"}, AssistantMessage),
        ({"role": "assistant", "content": None}, AssistantMessage),
        ({"role": "tool", "content": "x", "tool_call_id": "call_1"}, ToolMessage),
    ],
)
def test_each_role_has_its_shape(message: dict[str, Any], shape: type) -> None:
    assert type(read(message)) is shape


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "x"},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
    ],
)
def test_every_kind_of_part_is_read(part: dict[str, Any]) -> None:
    (first,) = read({"role": "user", "content": [part]}).content
    assert first.type == part["type"]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "oracle", "content": "x"},
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": "user", "content": 5},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "hologram"}]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "tool", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "1"}]},
    ],
)
def test_what_is_no_message_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(message)
