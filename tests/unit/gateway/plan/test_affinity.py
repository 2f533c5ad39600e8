"""Calls whose prompts begin alike are told by the same number."""

import json

import pytest

from nexus.gateway.plan.affinity import PREFIX, prefix_of
from tests.servers.calls import endpoint, make_call


def chat(*contents: str, **more: object) -> bytes:
    messages = [
        {"role": "user" if number % 2 == 0 else "assistant", "content": text} for number, text in enumerate(contents)
    ]
    return json.dumps({"model": "m", **more, "messages": messages}).encode()


def test_a_conversation_keeps_its_number_while_it_grows() -> None:
    first = prefix_of(make_call(body=chat("a" * PREFIX)))
    assert first is not None
    assert prefix_of(make_call(body=chat("a" * PREFIX, "well", "go on"))) == first
    assert prefix_of(make_call(body=chat("a" * PREFIX, temperature=1, stream=True))) == first
    assert prefix_of(make_call(body=chat("b" * PREFIX))) != first


@pytest.mark.parametrize("body", [chat("hi"), b"", b"x" * 2 * PREFIX, b"x" * PREFIX + b'"messages"'])
def test_a_short_one_or_none_has_no_number(body: bytes) -> None:
    assert prefix_of(make_call(body=body)) is None


@pytest.mark.parametrize(
    ("operation", "key"), [("completions", "prompt"), ("responses", "input"), ("messages", "messages")]
)
def test_prompts_of_other_operations(operation: str, key: str) -> None:
    body = json.dumps({"model": "m", key: "a" * PREFIX}).encode()
    assert prefix_of(make_call(body=body, at=endpoint(operation))) is not None
    assert prefix_of(make_call(body=body, at=endpoint("embeddings"))) is None
