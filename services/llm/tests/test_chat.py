"""Chat on the real model: whole and streamed answers, sampling, limits, refusals."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatCompletion, ChatCompletionChunk

Conforms = Callable[[str, Any], None]


def content(answer: Any, index: int = 0) -> str:
    return str(answer["choices"][index]["message"]["content"])


def test_a_whole_answer(llm: Any, conforms: Conforms) -> None:
    answer = llm.chat(max_tokens=8)
    ChatCompletion.model_validate_json(json.dumps(answer))
    conforms("CreateChatCompletionResponse", answer)
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == llm.model.id
    assert content(answer)
    assert answer["choices"][0]["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] <= 8
    assert not {"timings", "__verbose"} & answer.keys()


def test_a_streamed_answer(llm: Any, conforms: Conforms) -> None:
    chunks = list(llm.chat(max_tokens=8, stream=True))
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(json.dumps(chunk))
        conforms("CreateChatCompletionStreamResponse", chunk)
        assert "usage" not in chunk
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    assert all("role" not in delta for delta in deltas[1:])
    assert "".join(delta.get("content", "") for delta in deltas)
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert finishes[:-1] == [None] * (len(chunks) - 1)
    assert (deltas[-1], finishes[-1]) in (({}, "length"), ({}, "stop"))


def test_usage_in_a_stream_comes_last_and_alone(llm: Any, conforms: Conforms) -> None:
    chunks = list(llm.chat(max_tokens=4, temperature=0, stream=True, stream_options={"include_usage": True}))
    whole = llm.chat(max_tokens=4, temperature=0)
    conforms("CreateChatCompletionStreamResponse", {**chunks[-1], "usage": whole["usage"]})
    assert chunks[-1]["choices"] == []
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert chunks[-1]["usage"][count] == whole["usage"][count]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_the_same_seed_gives_the_same_text(llm: Any) -> None:
    asked = {"seed": 7, "temperature": 1.2, "max_tokens": 24, "messages": [{"role": "user", "content": "A tale."}]}
    assert content(llm.chat(**asked)) == content(llm.chat(**asked))
    assert content(llm.chat(**asked)) != content(llm.chat(**{**asked, "seed": 8}))


def test_a_stop_sequence_ends_the_answer_and_is_left_out(llm: Any) -> None:
    counting = [{"role": "user", "content": "Repeat after me: alpha beta gamma delta."}]
    free = content(llm.chat(messages=counting, temperature=0, max_tokens=24))
    word = free.split()[1]
    answer = llm.chat(messages=counting, temperature=0, max_tokens=24, stop=[word])
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert word not in content(answer)
    assert free.startswith(content(answer))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_token_limits(llm: Any, name: str) -> None:
    answer = llm.chat(messages=[{"role": "user", "content": "Tell a long story."}], **{name: 3})
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["choices"][0]["finish_reason"] == "length"


def test_several_choices_are_counted_together(llm: Any, conforms: Conforms) -> None:
    answer = llm.chat(n=3, max_tokens=4, temperature=1, messages=[{"role": "user", "content": "Tell a story."}])
    conforms("CreateChatCompletionResponse", answer)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 12
    alone = llm.chat(max_tokens=1, messages=[{"role": "user", "content": "Tell a story."}])
    assert answer["usage"]["prompt_tokens"] == alone["usage"]["prompt_tokens"]


def test_several_streamed_choices_each_begin_and_end(llm: Any) -> None:
    chunks = [chunk["choices"][0] for chunk in llm.chat(n=2, max_tokens=3, stream=True)]
    for index in (0, 1):
        own = [choice for choice in chunks if choice["index"] == index]
        assert own[0]["delta"]["role"] == "assistant"
        assert own[-1]["finish_reason"] is not None


def test_log_probabilities(llm: Any, conforms: Conforms) -> None:
    answer = llm.chat(max_tokens=3, temperature=0, logprobs=True, top_logprobs=2)
    conforms("CreateChatCompletionResponse", answer)
    entries = answer["choices"][0]["logprobs"]["content"]
    assert len(entries) == 3
    assert "".join(entry["token"] for entry in entries) == content(answer)
    assert all(len(entry["top_logprobs"]) == 2 and entry["logprob"] <= 0 and "id" not in entry for entry in entries)


def test_penalties_and_bias_change_the_text(llm: Any) -> None:
    asked = {"temperature": 0, "max_tokens": 24, "messages": [{"role": "user", "content": "Say la la la la la la."}]}
    plain = content(llm.chat(**asked))
    assert content(llm.chat(**asked, frequency_penalty=2, presence_penalty=2)) != plain
    forced = llm.chat(**{**asked, "max_tokens": 3}, logit_bias={"504": 100})
    assert content(forced) == "TheTheThe"  # token 504


def test_parts_and_the_developer_role_are_read_as_text(llm: Any) -> None:
    def ask(*messages: Any) -> int:
        return int(llm.chat(messages=messages, max_tokens=1)["usage"]["prompt_tokens"])

    plain = ask({"role": "system", "content": "Be brief."}, {"role": "user", "content": "One two"})
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": " two"}]
    assert ask({"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}) == plain


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 5}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ""}, "stop"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": {"word": 1}}, "logit_bias"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"store": True}, "store"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(llm: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        llm.chat(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    "fields", [{"user": "u"}, {"metadata": {"a": "b"}}, {"store": False}, {"service_tier": "auto"}, {"top_k": 5}]
)
def test_what_asks_for_nothing_here_is_let_pass(llm: Any, fields: dict[str, Any]) -> None:
    assert llm.chat(max_tokens=1, **fields)["choices"]


def test_an_image_is_refused_by_its_place(llm: Any) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(ApiError) as caught:
        llm.chat(messages=[{"role": "system", "content": "x"}, {"role": "user", "content": parts}])
    assert caught.value.param == "messages[1].content[1].type"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_beyond_the_context_is_refused_before_an_answer_begins(llm: Any, stream: bool) -> None:
    with pytest.raises(ApiError) as caught:
        llm.chat(messages=[{"role": "user", "content": "word " * 5000}], stream=stream)
    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")
    assert caught.value.param == "messages"


def test_an_unloaded_model_is_not_ready(make_driven: Callable[..., Any]) -> None:
    driven = make_driven(context_length=512)
    driven.engine.unload(driven.model)
    driven.engine.unload(driven.model)
    with pytest.raises(ApiError) as caught:
        driven.chat()
    assert caught.value.status == 503
