"""Completions over the simulator's /api/generate."""

from typing import Any

import pytest

from nexus.contract.errors import ApiError


async def test_whole_and_streamed(ollama: Any, conforms: Any) -> None:
    answer = await ollama.complete("Once upon", max_tokens=3)
    conforms("CreateCompletionResponse", answer)
    assert answer["choices"][0] == {"index": 0, "text": "w0 w1 w2", "logprobs": None, "finish_reason": "length"}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    body = ollama.last("/api/generate")
    assert body["raw"] is True  # no chat template
    assert "suffix" not in body
    chunks = await ollama.complete("Once upon", stream=True, stream_options={"include_usage": True})
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks[:-1]) == "w0 w1 w2 w3"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 6


async def test_prompts_and_choices_are_numbered_on(ollama: Any, conforms: Any) -> None:
    answer = await ollama.complete(["a", "b c"], n=2, echo=True, seed=4)
    conforms("CreateCompletionResponse", answer)
    assert [choice["text"][:3] for choice in answer["choices"]] == ["aw0", "aw0", "b c", "b c"]
    assert answer["usage"]["prompt_tokens"] == 3  # each prompt once
    assert [body["options"]["seed"] for body in ollama.simulator.bodies("/api/generate")] == [4, 5, 4, 5]


async def test_logprobs_side_by_side(ollama: Any, conforms: Any) -> None:
    answer = await ollama.complete("x", logprobs=1, max_tokens=2)
    conforms("CreateCompletionResponse", answer)
    logprobs = answer["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["w0", " w1"]
    assert logprobs["text_offset"] == [0, 2]
    assert logprobs["top_logprobs"] == [{"w0": -0.25}, {" w1": -0.25}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["x"] * 65}, "prompt"),
        ({"best_of": 3}, "best_of"),
        ({"suffix": "end"}, "suffix"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_refused_by_name(ollama: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.complete(**{"prompt": "x", **fields})
    assert (caught.value.status, caught.value.param) == (400, param)


async def test_a_suffix_for_a_model_that_fills_in(ollama: Any) -> None:
    ollama.simulator.models["qwen3:4b"].capabilities = ("completion", "insert")
    ollama.engine._shelf._details.clear()
    await ollama.look()
    await ollama.complete("def f(", suffix="return")
    body = ollama.last("/api/generate")
    assert body["suffix"] == "return"
    assert "raw" not in body
