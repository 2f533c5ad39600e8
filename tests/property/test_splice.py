"""A stream that goes on elsewhere is the one answer to its client, wherever it broke off and however both were cut."""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.relay.chunks import events_in, is_done
from nexus.gateway.relay.splice import DivergedError, Splice
from nexus.gateway.relay.transcript import Transcript

DONE = b"data: [DONE]\n\n"
FAREWELL = b": x-nexus-attempts=2; x-nexus-model=m\n\n"
TEXTS = st.text(min_size=1, max_size=40)
CUTS = st.lists(st.integers(0, 40), max_size=8)


def pieces(text: str, cuts: Sequence[int]) -> Iterator[str]:
    """The text in pieces, cut at these places; some of them may be empty."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        yield text[start:end]


def event(name: str, choice: dict[str, Any]) -> bytes:
    value = {"id": name, "object": "chat.completion.chunk", "created": len(name), "model": name}
    return (
        b"data: " + json.dumps({**value, "choices": [{"index": 0, "finish_reason": None, **choice}]}).encode() + b"\n\n"
    )


def chat(name: str, text: str, cuts: Sequence[int], *, role_once: bool = True) -> list[bytes]:
    """A whole chat stream, up to its `[DONE]`."""
    said = [event(name, {"delta": {"role": "assistant", "content": ""}})]
    role = {} if role_once else {"role": "assistant"}
    said += [event(name, {"delta": {**role, "content": piece}}) for piece in pieces(text, cuts)]
    return [*said, event(name, {"delta": {}, "finish_reason": "stop"}), DONE]


def completion(name: str, text: str, cuts: Sequence[int]) -> list[bytes]:
    said = [event(name, {"text": piece}) for piece in pieces(text, cuts)]
    return [*said, event(name, {"text": "", "finish_reason": "stop"}), DONE]


def tool(name: str, arguments: str, cuts: Sequence[int]) -> list[bytes]:
    head = {"index": 0, "id": f"call_{name}", "type": "function", "function": {"name": "f", "arguments": ""}}
    said = [event(name, {"delta": {"role": "assistant", "content": None, "tool_calls": [head]}})]
    for piece in pieces(arguments, cuts):
        said.append(event(name, {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}))
    return [*said, event(name, {"delta": {}, "finish_reason": "tool_calls"}), DONE]


def given_to(transcript: Transcript, events: Sequence[bytes]) -> None:
    for one in events:
        transcript.add(one)


def joined(before: Sequence[bytes], after: Sequence[bytes], *, continued: bool = False) -> bytes:
    """What the client has at the end. Raises DivergedError."""
    transcript = Transcript()
    given_to(transcript, before)
    splice = Splice(transcript.delivered(), FAREWELL, continued=continued)
    return b"".join(before) + b"".join(splice.feed(one) for one in after)


def read(stream: bytes) -> tuple[list[dict[str, Any]], int]:
    """The chunks of a stream, and how often it says that it is done."""
    told = [payload for _, payload in events_in(stream) if payload]
    return [json.loads(one) for one in told if not is_done(one)], sum(map(is_done, told))


def check_one_stream(stream: bytes, text: str, *, at: str) -> list[dict[str, Any]]:
    chunks, done = read(stream)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert done == 1
    assert stream.endswith(DONE)
    assert len({chunk["id"] for chunk in chunks}) == len({chunk["created"] for chunk in chunks}) == 1
    assert len([one for one in choices if one["finish_reason"]]) == 1
    if at == "text":
        assert "".join(one["text"] or "" for one in choices) == text
    else:
        assert "".join(one["delta"].get(at) or "" for one in choices) == text
        assert len([one for one in choices if one["delta"].get("role")]) == 1
    return choices


@given(text=TEXTS, cuts=CUTS, again=CUTS, at=st.integers(0, 12), role_once=st.booleans())
def test_the_same_chat_answer_is_gone_on_with(
    text: str, cuts: list[int], again: list[int], at: int, role_once: bool
) -> None:
    before = chat("first", text, cuts)[:-1][:at]
    stream = joined(before, chat("second", text, again, role_once=role_once))
    if before:
        check_one_stream(stream, text, at="content")
    assert stream.count(FAREWELL) == 1
    assert stream.endswith(FAREWELL + DONE)


@given(text=TEXTS, cuts=CUTS, again=CUTS, at=st.integers(1, 12))
def test_the_same_text_is_gone_on_with(text: str, cuts: list[int], again: list[int], at: int) -> None:
    check_one_stream(joined(completion("a", text, cuts)[:-1][:at], completion("bb", text, again)), text, at="text")


@given(text=TEXTS, cuts=CUTS, again=CUTS, at=st.integers(1, 12))
def test_the_same_tool_call_is_gone_on_with_under_its_first_id(
    text: str, cuts: list[int], again: list[int], at: int
) -> None:
    stream = joined(tool("a", text, cuts)[:-1][:at], tool("bb", text, again))
    chunks, done = read(stream)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    calls = [call for one in choices for call in one["delta"].get("tool_calls", ())]
    assert "".join(call.get("function", {}).get("arguments", "") for call in calls) == text
    assert [call["id"] for call in calls if "id" in call] == ["call_a"]
    assert [call["function"]["name"] for call in calls if "name" in call.get("function", {})] == ["f"]
    assert (done, [one["finish_reason"] for one in choices if one["finish_reason"]]) == (1, ["tool_calls"])


@given(text=TEXTS, cuts=CUTS, rest=CUTS, split=st.integers(0, 40))
def test_a_continuation_is_put_behind(text: str, cuts: list[int], rest: list[int], split: int) -> None:
    before = chat("first", text[:split], cuts)[:-2]
    check_one_stream(joined(before, chat("second", text[split:], rest), continued=True), text, at="content")


@given(text=TEXTS, other=TEXTS, cuts=CUTS, again=CUTS)
def test_another_answer_is_never_shown_as_this_one(text: str, other: str, cuts: list[int], again: list[int]) -> None:
    before = chat("first", text, cuts)[:-2]
    after = chat("second", other, again)
    if other.startswith(text):
        check_one_stream(joined(before, after), other, at="content")
        return
    transcript = Transcript()
    given_to(transcript, before)
    splice = Splice(transcript.delivered(), FAREWELL, continued=False)
    out: list[bytes] = []
    with pytest.raises(DivergedError):
        out.extend(splice.feed(one) for one in after)
    assert b"".join(out) == b"", "nothing goes out before the texts are known to be the same"
    assert not splice.done


@given(text=TEXTS, cuts=CUTS, again=CUTS, third=CUTS, at=st.integers(1, 12), more=st.integers(0, 12))
def test_a_stream_that_breaks_twice_is_still_one(
    text: str, cuts: list[int], again: list[int], third: list[int], at: int, more: int
) -> None:
    transcript = Transcript()
    sent = chat("a", text, cuts)[:-1][:at]
    given_to(transcript, sent)
    splice = Splice(transcript.delivered(), FAREWELL, continued=False)
    for one in chat("bb", text, again)[:-1][:more]:
        out = splice.feed(one)
        if out:
            sent.append(out)
            transcript.add(out)
    splice = Splice(transcript.delivered(), FAREWELL, continued=False)
    sent += [splice.feed(one) for one in chat("ccc", text, third)]
    check_one_stream(b"".join(sent), text, at="content")
