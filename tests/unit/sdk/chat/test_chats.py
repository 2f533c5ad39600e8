"""Chat's answers made of steps, held against the contract's models."""

import json
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatCompletion, ChatCompletionChunk
from nexus.sdk.chat.chats import ChatChunks, WholeChat
from nexus.sdk.chat.heads import Head
from nexus.sdk.chat.steps import Step

HEAD = Head("chatcmpl-1", 5, "m", "fp")
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
TOKEN = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
STOP = Step(0, finish="stop")


def piece(arguments: str, index: int = 0, **head: Any) -> Step:
    delta = {"index": index, **head, "function": {"arguments": arguments, **({"name": "f"} if head else {})}}
    return Step(0, {"tool_calls": [delta]})


def streamed(*steps: Step, with_usage: bool = False) -> list[dict[str, Any]]:
    made = ChatChunks(HEAD, with_usage=with_usage)
    chunks = [chunk for step in steps for chunk in made.take(step)] + list(made.end(USAGE))
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(json.dumps(chunk))
    return chunks


def whole(*steps: Step) -> Any:
    made = WholeChat(HEAD)
    assert [item for step in steps for item in made.take(step)] == []
    (answer,) = made.end(USAGE)
    ChatCompletion.model_validate_json(json.dumps(answer))
    assert (answer["object"], answer["usage"]) == ("chat.completion", USAGE)
    return answer["choices"]


def test_a_stream_begins_with_the_role_and_ends_with_the_reason() -> None:
    chunks = streamed(Step(0, {"content": "a"}), STOP)
    assert chunks[0] == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "m",
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "", "refusal": None},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
    }
    assert [chunk["choices"][0]["delta"] for chunk in chunks[1:]] == [{"content": "a"}, {}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]


def test_a_last_piece_is_sent_before_the_reason() -> None:
    chunks = streamed(Step(0, {"content": "a"}, "length"))
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "a", None]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "length"]


def test_each_choice_begins_once() -> None:
    chunks = streamed(Step(0, {"content": "a"}), Step(1, {"content": "b"}), Step(0, {"content": "c"}))
    begun = [chunk["choices"][0]["index"] for chunk in chunks if "role" in chunk["choices"][0]["delta"]]
    assert begun == [0, 1]


def test_a_stream_of_calls_begins_without_a_text() -> None:
    first, second = streamed(piece("{}", id="call_1", type="function"))
    assert first["choices"][0]["delta"]["content"] is None
    assert second["choices"][0]["delta"]["tool_calls"][0]["id"] == "call_1"


def test_usage_is_null_until_its_own_chunk() -> None:
    chunks = streamed(STOP, with_usage=True)
    assert [chunk["usage"] for chunk in chunks] == [None, None, USAGE]
    assert chunks[-1]["choices"] == []
    assert all("usage" not in chunk for chunk in streamed(STOP))


def test_a_streams_log_probabilities_come_with_their_piece_even_of_no_text() -> None:
    chunks = streamed(Step(0, {"content": "a"}, logprobs=(TOKEN,)), Step(0, logprobs=(TOKEN,)), STOP)
    told = {"content": [TOKEN], "refusal": None}
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [None, told, told, None]


def test_text_is_joined() -> None:
    (choice,) = whole(Step(0, {"reasoning_content": "hm"}), Step(0, {"content": "a"}), Step(0, {"content": "b"}), STOP)
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "refusal": None, "reasoning_content": "hm", "content": "ab"},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_no_text_at_all_is_an_empty_text() -> None:
    assert whole(STOP)[0]["message"]["content"] == ""


def test_calls_are_joined_by_their_index() -> None:
    steps = (
        piece("", id="call_1", type="function"),
        piece('{"a":'),
        piece("{}", 1, id="call_2", type="function"),
        piece("1}"),
    )
    message = whole(*steps, Step(0, finish="tool_calls"))[0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]


def test_a_call_cut_off_is_left_out_only_where_length_says_so() -> None:
    cut = (piece("", id="call_1", type="function"), piece('{"a":'))
    assert "tool_calls" not in whole(*cut, Step(0, finish="length"))[0]["message"]
    with pytest.raises(ApiError, match="not valid JSON") as caught:
        whole(*cut, Step(0, finish="tool_calls"))
    assert caught.value.status == 502


def test_choices_come_in_their_order() -> None:
    choices = whole(Step(1, {"content": "b"}), Step(0, {"content": "a"}), Step(1, finish="length"), STOP)
    assert [(one["index"], one["message"]["content"], one["finish_reason"]) for one in choices] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


def test_log_probabilities_are_joined() -> None:
    (choice,) = whole(Step(0, {"content": "a"}, logprobs=(TOKEN,)), Step(0, {"content": "a"}, logprobs=(TOKEN,)), STOP)
    assert choice["logprobs"] == {"content": [TOKEN, TOKEN], "refusal": None}
