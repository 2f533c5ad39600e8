"""Words before a prompt, in each operation's shape."""

import json
from typing import Any

import msgspec
import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.admit.prompts import PREFIXED

USER = {"role": "user", "content": "hi"}
PART = {"type": "text", "text": "be brief"}


def prefixed(operation: str, body: dict[str, Any]) -> dict[str, Any]:
    fields = msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw])
    PREFIXED[operation](fields, "W")
    value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(fields))
    return value


@pytest.mark.parametrize(
    ("operation", "body", "expected"),
    [
        ("chat.completions", {"messages": [USER]}, {"messages": [{"role": "system", "content": "W"}, USER]}),
        ("chat.completions", {"messages": []}, {"messages": [{"role": "system", "content": "W"}]}),
        (
            "chat.completions",
            {"messages": [{"role": "system", "content": "be brief", "name": "x"}, USER]},
            {"messages": [{"role": "system", "content": "W\n\nbe brief", "name": "x"}, USER]},
        ),
        (
            "chat.completions",
            {"messages": [{"role": "developer", "content": [PART]}]},
            {"messages": [{"role": "developer", "content": [{"type": "text", "text": "W"}, PART]}]},
        ),
        ("completions", {"prompt": "once"}, {"prompt": "W\n\nonce"}),
        ("completions", {"prompt": ["a", "b"]}, {"prompt": ["W\n\na", "W\n\nb"]}),
        ("completions", {}, {"prompt": "W\n\n"}),
        ("responses", {"instructions": None, "input": "x"}, {"instructions": "W", "input": "x"}),
        ("responses", {"instructions": "be brief"}, {"instructions": "W\n\nbe brief"}),
        ("messages", {"system": [PART]}, {"system": [{"type": "text", "text": "W"}, PART]}),
        ("messages", {"system": ""}, {"system": "W"}),
    ],
)
def test_the_words_come_first(operation: str, body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert prefixed(operation, body) == expected


@pytest.mark.parametrize(
    ("operation", "body", "param"),
    [
        ("chat.completions", {"messages": "hi"}, "messages"),
        ("chat.completions", {}, "messages"),
        ("chat.completions", {"messages": [{"role": "system", "content": 5}]}, "messages"),
        ("completions", {"prompt": [1, 2]}, "prompt"),
        ("responses", {"instructions": 5}, "instructions"),
        ("messages", {"system": {"a": 1}}, "system"),
    ],
)
def test_what_words_cannot_be_put_before_is_400(operation: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        prefixed(operation, body)
    assert (caught.value.status, caught.value.param) == (400, param)
