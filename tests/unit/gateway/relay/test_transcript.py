"""What was given to a client: folded in any portions, bounded, and known for what cannot be joined."""

import json
from typing import Any

import pytest

from nexus.gateway.relay import transcript as module
from nexus.gateway.relay.transcript import Delivered, Said, Transcript


def event(*choices: dict[str, Any], **fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "a", "created": 7, "choices": choices, **fields}).encode() + b"\n\n"


def say(text: str, **choice: Any) -> bytes:
    return event({"index": 0, "delta": {"content": text}, **choice})


def after(*events: bytes) -> Delivered:
    transcript = Transcript()
    for one in events:
        transcript.add(one)
    return transcript.delivered()


def test_nothing_was_given() -> None:
    assert after() == Delivered()


def test_texts_grow_by_field_and_choice() -> None:
    delivered = after(
        event({"index": 0, "delta": {"role": "assistant", "content": ""}}),
        event({"index": 0, "delta": {"reasoning_content": "Hm"}}),
        say("Hel") + b": ping\n\n" + say("lo"),
        event({"index": 1, "delta": {"content": "Ho"}, "finish_reason": "stop"}),
    )
    assert (delivered.id, delivered.created, delivered.pieces) == ("a", 7, 4)
    assert delivered.choices == {
        0: Said({("reasoning_content", -1): "Hm", ("content", -1): "Hello"}, ("content", -1), frozenset(), True),
        1: Said({("content", -1): "Ho"}, ("content", -1), frozenset(), False, True),
    }
    assert delivered.joinable
    assert not delivered.done


def test_tool_calls_are_texts_too() -> None:
    first = {"index": 1, "id": "call_1", "function": {"name": "f", "arguments": ""}}
    delivered = after(
        event({"index": 0, "delta": {"tool_calls": [first]}}),
        event({"index": 0, "delta": {"tool_calls": [{"index": 1, "function": {"arguments": "{"}}, {"index": 2}]}}),
    )
    said = delivered.choices[0]
    assert said.tracks == {("name", 1): "f", ("arguments", 1): "{"}
    assert (said.last, said.calls) == (("arguments", 1), {1, 2})


def test_usage_and_the_end_are_known() -> None:
    delivered = after(say("x"), event(usage={"prompt_tokens": 1}), b"data: [DONE]\n\n")
    assert (delivered.counted, delivered.done) == (True, True)


@pytest.mark.parametrize(
    "one",
    [
        event({"index": 0, "delta": {"audio": {"data": "x"}}}),
        event({"index": 0, "delta": {"function_call": {"name": "f"}}}),
        say("x", logprobs={"content": [{"token": "x"}]}),
        event({"index": 0, "delta": {"tool_calls": [{"function": {"arguments": "{"}}]}}),
        event({"index": 0, "delta": {"content": ["x"]}}),
        event({"index": 0, "delta": "x"}),
        b'data: {"choices": 1}\n\n',
        b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n',
    ],
)
def test_what_cannot_be_joined_is_not_kept(one: bytes) -> None:
    assert after(say("x"), one, say("y")) == Delivered(joinable=False)


def test_what_is_not_there_may_be_null() -> None:
    delta = {"content": "x", "tool_calls": None, "audio": None, "function_call": None}
    assert after(event({"index": 0, "delta": delta, "logprobs": None}, usage=None)).joinable


def test_a_long_stream_is_folded_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FOLD_AT", 200)
    transcript = Transcript()
    for number in range(1000):
        transcript.add(say(f"{number} "))
        assert sum(map(len, transcript._raw)) <= 400
    before = transcript.delivered()
    assert before.choices[0].tracks["content", -1] == "".join(f"{number} " for number in range(1000))
    assert before.pieces == 1000
    transcript.add(say("more"))
    assert "more" not in before.choices[0].tracks["content", -1], "what was told stays as it was"


def test_too_much_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 10)
    monkeypatch.setattr(module, "_FOLD_AT", 1)
    assert after(say("0123456789")).joinable
    transcript = Transcript()
    for _ in range(50):
        transcript.add(say("0123456789"))
        assert not transcript._raw
    assert transcript.delivered() == Delivered(joinable=False)
