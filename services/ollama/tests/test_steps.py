"""Ollama's lines read into steps, and what is wrong with them told."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nexus_ollama.steps import Tally, read_steps

from nexus.contract.errors import ApiError
from nexus.sdk.chat.steps import Step

DONE = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}


async def _read(*lines: Any, tally: Tally | None = None) -> list[Step]:
    async def each() -> AsyncIterator[str]:
        for line in lines:
            yield line if isinstance(line, str) else json.dumps(line)

    return [step async for step in read_steps(each(), 0, tally or Tally())]


def _said(**message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": "", **message}, "done": False}


async def test_text_thought_and_end() -> None:
    tally = Tally()
    end = {**DONE, "prompt_eval_count": 7, "eval_count": 2}
    steps = await _read(_said(thinking="hm"), "", _said(content="hi"), end, tally=tally)
    assert steps == [Step(0, {"reasoning_content": "hm"}), Step(0, {"content": "hi"}), Step(0, finish="stop")]
    assert tally.usage() == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


async def test_calls_are_numbered_here_and_their_arguments_written() -> None:
    call = {"function": {"index": 0, "name": "f", "arguments": {"city": "Ålesund"}}}
    steps = await _read(_said(tool_calls=[{"id": "call_1", **call}]), _said(tool_calls=[call]), DONE)
    first, second = (step.delta["tool_calls"][0] for step in steps[:2])
    assert (first["index"], first["id"], first["type"]) == (0, "call_1", "function")
    assert first["function"] == {"name": "f", "arguments": '{"city": "Ålesund"}'}
    assert second["index"] == 1
    assert second["id"].startswith("call_")
    assert steps[-1].finish == "tool_calls"


async def test_log_probabilities_have_every_field_of_openais() -> None:
    entry = {"token": "é", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.0, "bytes": [98]}]}
    step, _ = await _read({**_said(content="é"), "logprobs": [entry, {"token": "!"}]}, DONE)
    assert step.logprobs == (
        {
            "token": "é",
            "logprob": -0.5,
            "bytes": [195, 169],
            "top_logprobs": [{"token": "b", "logprob": -1.0, "bytes": [98]}],
        },
        {"token": "!", "logprob": 0.0, "bytes": [33], "top_logprobs": []},
    )


async def test_generates_shape_and_its_cut() -> None:
    steps = await _read({"response": "a", "done": False}, {"response": "", "done": True, "done_reason": "length"})
    assert steps == [Step(0, {"content": "a"}), Step(0, finish="length")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([_said(content="a")], "broke off"),
        ([], "broke off"),
        (["{"], "not JSON"),
        (["[1]"], "not a JSON object"),
        ([{"done": True}], "neither a message"),
        ([_said(content=3), DONE], "piece of text"),
        ([_said(tool_calls=[{"function": {}}]), DONE], "no name"),
        ([{**DONE, "done_reason": "load"}], "'load'"),
        ([_said(tool_calls=7), DONE], "tool_calls are no list"),
        ([_said(tool_calls=["f"]), DONE], "tool_calls are no list"),
        ([{**_said(content="a"), "logprobs": "a"}, DONE], "logprobs are no list"),
        ([{**_said(content="a"), "logprobs": [{"top_logprobs": [1]}]}, DONE], "top_logprobs are no list"),
    ],
)
async def test_what_is_no_answer_is_an_error(lines: list[Any], words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        await _read(*lines)
    assert caught.value.status == 502


async def test_an_error_line_is_the_error() -> None:
    with pytest.raises(ApiError, match="runner process") as caught:
        await _read(_said(content="a"), {"error": "llama runner process has terminated"})
    assert caught.value.code == "upstream_error"
