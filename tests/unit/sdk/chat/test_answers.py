"""Which answer a request gets, at whose pace, and what happens to the steps."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest

from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.answers import answer, answer_async, assembly, new_assembly
from nexus.sdk.chat.heads import Head
from nexus.sdk.chat.steps import Step

Request = ChatRequest | CompletionRequest
STEPS = (Step(0, {"content": "a"}), Step(0, {"content": "b"}), Step(0, finish="stop"))


def chat(**fields: Any) -> ChatRequest:
    fields = {"model": "x", "messages": [{"role": "user", "content": "?"}], **fields}
    return ChatRequest.model_validate_json(json.dumps(fields))


def completion(**fields: Any) -> CompletionRequest:
    return CompletionRequest.model_validate_json(json.dumps({"model": "x", "prompt": "?", **fields}))


class Engine:
    """Steps of either kind; the usage is known only after the last."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    def usage(self) -> dict[str, Any]:
        return {"prompt_tokens": 0, "completion_tokens": self.taken, "total_tokens": self.taken}

    def steps(self) -> Iterator[Step]:
        for step in STEPS:
            self.taken += 1
            yield step

    async def steps_async(self) -> AsyncGenerator[Step, None]:
        try:
            for step in self.steps():
                yield step
        finally:
            self.closed = True


async def items_of(request: Request, how: str) -> list[Any]:
    """The chunks of a streamed answer, or the one answer that is whole."""
    engine, made = Engine(), new_assembly(request, "m", "fp")
    if how == "sync":
        given = answer(engine.steps(), made, engine.usage)
        return list(given) if isinstance(given, Iterator) else [given]
    told = await answer_async(engine.steps_async(), made, engine.usage)
    return [item async for item in told] if isinstance(told, AsyncIterator) else [told]


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize(
    ("request_", "kinds", "prefix"),
    [
        (chat(), ["chat.completion"], "chatcmpl-"),
        (chat(stream=True), ["chat.completion.chunk"] * 4, "chatcmpl-"),
        (chat(stream=True, stream_options={"include_usage": True}), ["chat.completion.chunk"] * 5, "chatcmpl-"),
        (completion(), ["text_completion"], "cmpl-"),
        (completion(stream=True, stream_options={"include_usage": False}), ["text_completion"] * 3, "cmpl-"),
        (completion(stream=True, stream_options={"include_usage": True}), ["text_completion"] * 4, "cmpl-"),
    ],
)
async def test_the_answer_that_was_asked_for(request_: Request, kinds: list[str], prefix: str, how: str) -> None:
    items = await items_of(request_, how)
    assert [item["object"] for item in items] == kinds
    assert len({item["id"] for item in items}) == 1
    assert items[0]["id"].startswith(prefix)
    assert (items[0]["model"], items[0]["system_fingerprint"]) == ("m", "fp")
    if "usage" in items[-1]:
        assert items[-1]["usage"]["completion_tokens"] == len(STEPS)


def test_a_streamed_answer_goes_at_the_steps_pace() -> None:
    engine = Engine()
    chunks = answer(engine.steps(), new_assembly(chat(stream=True), "m", None), engine.usage)
    assert isinstance(chunks, Iterator)
    assert engine.taken == 0
    next(chunks)
    next(chunks)
    assert engine.taken == 1


async def test_asynchronous_steps_are_closed_when_the_answer_is_given_up() -> None:
    engine = Engine()
    chunks = await answer_async(engine.steps_async(), new_assembly(chat(stream=True), "m", None), engine.usage)
    assert isinstance(chunks, AsyncGenerator)
    await anext(chunks)
    await chunks.aclose()
    assert engine.closed
    assert engine.taken == 1


def test_log_probabilities_as_the_completion_wants_them_under_a_head_of_the_engines() -> None:
    token = {"token": "a", "logprob": -1.0, "bytes": [], "top_logprobs": []}
    for wanted in (None, 0):
        made = assembly(completion(logprobs=wanted), Head("own", 1, "m", None))
        (whole,) = [*made.take(Step(0, {"content": "a"}, "stop", (token,))), *made.end({})]
        assert whole["id"] == "own"
        assert (whole["choices"][0]["logprobs"] is None) == (wanted is None)
