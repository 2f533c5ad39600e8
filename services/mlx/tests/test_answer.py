"""What the server writes, turned into what OpenAI's clients read."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nexus_mlx.answer import answered as answered_items
from nexus_mlx.pieces import Piece, read_piece, read_pieces

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest

HEAD = {"id": "chatcmpl-1", "system_fingerprint": "f", "object": "chat.completion.chunk", "model": "default_model"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1}}
USAGE_CHUNK = {**HEAD, "object": "chat.completion", "created": 7, "choices": [], "usage": USAGE}
CALL = {"function": {"name": "f", "arguments": "{}"}, "type": "function", "id": "c", "index": 0}
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "?"}]}
TEXT: dict[str, Any] = {"prompt": "?"}


def chat(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "delta": {"role": "assistant", **delta}}
    return {**HEAD, "created": 7, "choices": [choice]}


def text(said: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "text": said}
    return {**HEAD, "object": "text_completion", "created": 7, "choices": [choice]}


async def sent(events: tuple[Any, ...]) -> AsyncIterator[str]:
    for event in events:
        yield event if isinstance(event, str) else json.dumps(event)


def read(*events: Any) -> AsyncIterator[Piece]:
    return read_pieces(sent(events))


def items(asked: dict[str, Any], *events: Any) -> list[dict[str, Any]]:
    kind = ChatRequest if "messages" in asked else CompletionRequest
    request = kind.model_validate_json(json.dumps({"model": "mine", **asked}))

    async def run() -> list[dict[str, Any]]:
        return [item async for item in answered_items(read(*events), request, "mine")]

    return asyncio.run(run())


def streamed(asked: dict[str, Any], *events: Any, usage: bool = True) -> list[dict[str, Any]]:
    return items({**asked, "stream": True, "stream_options": {"include_usage": usage}}, *events)


def answered(asked: dict[str, Any], *events: Any) -> dict[str, Any]:
    (whole,) = items(asked, *events)
    return whole


def test_a_stream_says_the_role_once_and_the_finish_alone() -> None:
    got = streamed(CHAT, chat(content="Hel"), chat("stop", content="lo"), USAGE_CHUNK, "[DONE]")
    assert [chunk["choices"][0]["delta"] for chunk in got[:-1]] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in got[:-1]] == [None, None, None, "stop"]
    assert all(chunk["usage"] is None for chunk in got[:-1])
    assert got[-1] == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "mine",
        "system_fingerprint": "f",
        "choices": [],
        "usage": USAGE,
    }


def test_usage_only_where_it_was_asked_for() -> None:
    got = streamed(CHAT, chat("stop", content="x"), USAGE_CHUNK, "[DONE]", usage=False)
    assert all("usage" not in chunk for chunk in got)
    assert all(chunk["choices"] for chunk in got)


def test_reasoning_and_calls() -> None:
    events = (chat(reasoning="Hm. "), chat(content="So"), chat("tool_calls", tool_calls=[CALL]), USAGE_CHUNK, "[DONE]")
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed(CHAT, *events)[1:-1]]
    assert deltas == [{"reasoning_content": "Hm. "}, {"content": "So"}, {"tool_calls": [CALL]}, {}]
    choice = answered(CHAT, *events)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "So",
        "refusal": None,
        "reasoning_content": "Hm. ",
        "tool_calls": [{key: value for key, value in CALL.items() if key != "index"}],
    }


def test_a_whole_answer_is_put_together() -> None:
    got = answered(CHAT, chat(content="Hel"), chat("length", content="lo"), USAGE_CHUNK, "[DONE]")
    assert (got["object"], got["model"], got["usage"]) == ("chat.completion", "mine", USAGE)
    message = {"role": "assistant", "content": "Hello", "refusal": None}
    assert got["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}]
    only_call = answered(CHAT, chat("tool_calls", tool_calls=[CALL]), USAGE_CHUNK)
    assert only_call["choices"][0]["message"]["content"] is None


def test_text_completions() -> None:
    events = (text("Hel"), text("lo", "stop"), USAGE_CHUNK, "[DONE]")
    got = streamed(TEXT, *events)
    assert [chunk["choices"][0]["text"] for chunk in got[:-1]] == ["Hel", "lo", ""]
    assert {chunk["object"] for chunk in got} == {"text_completion"}
    assert got[-1]["usage"] == USAGE
    choice = answered(TEXT, *events)["choices"]
    assert choice == [{"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "stop"}]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((chat(content="Hel"),), "ended before"),
        ((chat(content="Hel"), "[DONE]"), "ended before"),
        ((), "ended before"),
        (("{not json",), "not what mlx_lm.server writes"),
        (({"hello": 1},), "not what"),
        (({**HEAD, "created": 1, "choices": [{}]},), "not what"),
        (([1],), "not what"),
        (('{"a":' * 100_000,), "not what"),
        (({**chat(content="Hel"), "created": "NaN"},), "not what"),
        ((chat(content=5),), "not what"),
        ((chat("stop", content="x"), {**USAGE_CHUNK, "usage": "none"}), "not what"),
        (({"error": "out of memory"},), "out of memory"),
        ((chat("tool_calls"),), "cannot read"),
    ],
)
def test_what_is_no_answer_is_never_made_one(events: Any, reason: str) -> None:
    for made in (streamed, answered):
        with pytest.raises(ApiError, match=reason) as caught:
            made(CHAT, *events)
        assert caught.value.status == 502


def test_an_answer_without_usage_is_not_whole() -> None:
    with pytest.raises(ApiError, match="no usage"):
        answered(CHAT, chat("stop", content="x"), "[DONE]")


def test_one_piece() -> None:
    piece = read_piece(json.dumps(chat("stop", content="x")))
    assert piece == Piece("chatcmpl-1", 7, "f", text="x", finish="stop")
