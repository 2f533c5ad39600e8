"""A stream that dies or stalls midway goes on elsewhere as one answer, or ends with one error; it is never short."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import openai
import pytest

from tests.servers.cards import card, model
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.raw import Answer
from tests.servers.scripted import ScriptedUpstream
from tests.servers.tellers import PROMPT_TOKENS, story

StartGateway = Callable[..., Gateway]
MESSAGES: Any = [{"role": "user", "content": "Tell me."}]
WHOLE = story(60)
CUT = {"kind": "tell", "upto": 40, "end": "drop"}
AGAIN = {"kind": "tell", "id": "another", "per": 7}
NO_PREFILL = {"kind": "error", "status": 400, "code": "prefill_not_supported"}


class Stage:
    """A gateway before several instances; each attempt is answered by the next of the scripts."""

    def __init__(self, gateway: Gateway, upstreams: Sequence[ScriptedUpstream]) -> None:
        self.gateway = gateway
        self._upstreams = upstreams
        self.client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0, timeout=10)

    def turns(self, *scripts: dict[str, Any]) -> None:
        self._upstreams[0].state.scripts.extend(scripts)
        for upstream in self._upstreams[1:]:
            upstream.state.scripts = self._upstreams[0].state.scripts

    def asked(self) -> list[dict[str, Any]]:
        """The bodies of all attempts, in their order."""
        seen = [seen for upstream in self._upstreams for seen in upstream.seen]
        return [one.json() for one in sorted(seen, key=lambda one: one.at)]

    def raw(self, **fields: Any) -> Answer:
        body = {"model": "scripted", "messages": MESSAGES, "stream": True, **fields}
        return self.gateway.post("/v1/chat/completions", body)

    def chat(self, **fields: Any) -> list[Any]:
        options: Any = {"stream_options": {"include_usage": True}, "model": "scripted", **fields}
        return list(self.client.chat.completions.create(messages=MESSAGES, stream=True, **options))


@pytest.fixture
def begin(start_gateway: StartGateway, stack: ExitStack) -> Callable[..., Stage]:
    def start(*, count: int = 3, config: str = "", continuation: bool = False) -> Stage:
        cards = [
            card(instance=f"scripted-{number}", models=[model("scripted", continuation=continuation)])
            for number in range(count)
        ]
        upstreams = [stack.enter_context(ScriptedUpstream(one)) for one in cards]
        stage = Stage(start_gateway(*upstreams, config=config), upstreams)
        stack.callback(stage.client.close)
        stack.callback(stage.gateway.wait_until_idle)
        return stage

    return start


def check_whole(chunks: list[Any], text: str = WHOLE) -> None:
    """One answer, as the official client sees it."""
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == text
    assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert chunks[0].id == "cmpl-one"


def check_usage(chunks: list[Any], tokens: int = 60) -> None:
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert (usage.prompt_tokens, usage.completion_tokens) == (PROMPT_TOKENS, tokens)
    assert usage.total_tokens == PROMPT_TOKENS + tokens


@pytest.mark.parametrize("end", ["drop", "no_done", "malformed", "error", "hang"])
def test_a_broken_stream_goes_on_elsewhere(begin: Callable[..., Stage], end: str) -> None:
    stage = begin(config="timeouts: {idle: 0.4}\n")
    stage.turns({**CUT, "end": end}, AGAIN)
    chunks = stage.chat()
    check_whole(chunks)
    check_usage(chunks)
    assert [one["messages"] for one in stage.asked()] == [MESSAGES, MESSAGES]


def test_what_it_looks_like_on_the_wire(begin: Callable[..., Stage]) -> None:
    stage = begin()
    stage.turns(CUT, AGAIN)
    answer = stage.raw(stream_options={"include_usage": True})
    events = answer.body.removesuffix(b"\n\n").split(b"\n\n")
    assert events[-2:] == [b": x-nexus-attempts=2; x-nexus-model=scripted", b"data: [DONE]"]
    assert answer.body.count(b": x-nexus-") == answer.body.count(b"[DONE]") == 1
    assert all(json.loads(event.removeprefix(b"data: ")) for event in events[:-2])
    line = stage.gateway.request_line(answer.header("x-request-id") or "")
    assert (line["status"], line["attempts"], line.get("error", "")) == (200, 2, "")
    assert line["usage"] == {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 60, "estimated": False}
    assert line["bytes_out"] == len(answer.body)


def test_an_answer_that_only_lacks_its_last_word_is_ended_without_asking(begin: Callable[..., Stage]) -> None:
    stage = begin()
    stage.turns({"kind": "tell", "end": "finished"})
    answer = stage.raw()
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert b"error" not in answer.body
    assert len(stage.asked()) == 1


def test_one_that_lacks_its_usage_too_is_asked_for_again(begin: Callable[..., Stage]) -> None:
    stage = begin()
    stage.turns({"kind": "tell", "end": "finished"}, AGAIN)
    chunks = stage.chat()
    check_whole(chunks)
    check_usage(chunks)


def test_it_may_break_twice(begin: Callable[..., Stage]) -> None:
    stage = begin()
    stage.turns(CUT, {**AGAIN, "upto": 50, "end": "drop"}, {**AGAIN, "id": "the third", "per": 11})
    check_whole(stage.chat())
    assert len(stage.asked()) == 3


def test_another_answer_ends_with_one_error(begin: Callable[..., Stage]) -> None:
    stage = begin()
    other = {"kind": "tell", "word": "u"}
    stage.turns(CUT, other, other)
    said: list[str] = []
    stream = stage.client.chat.completions.create(model="scripted", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="The stream was cut"):
        said.extend(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert "".join(said) == story(40)
    stage.turns(CUT, other, other)
    answer = stage.raw()
    assert answer.body.count(b'"error"') == 1
    assert b"[DONE]" not in answer.body
    assert b"u0" not in answer.body


def test_attempts_are_bounded(begin: Callable[..., Stage]) -> None:
    stage = begin(count=5)
    stage.turns(*[CUT] * 5)
    answer = stage.raw()
    assert answer.body.count(b'"error"') == 1
    assert len(stage.asked()) == 3
    line = stage.gateway.request_line(answer.header("x-request-id") or "")
    assert (line["attempts"], line["error"]) == (3, "upstream_error")


def test_a_model_that_continues_is_asked_for_the_rest(begin: Callable[..., Stage]) -> None:
    stage = begin(continuation=True)
    stage.turns(CUT, {**AGAIN, "continues": True})
    chunks = stage.chat(max_tokens=100)
    check_whole(chunks)
    check_usage(chunks)
    _, second = stage.asked()
    assert second["messages"] == [*MESSAGES, {"role": "assistant", "content": story(40)}]
    assert (second["continue_final_message"], second["add_generation_prompt"]) == (True, False)
    assert second["max_tokens"] == 60


def test_a_refused_beginning_is_never_told(begin: Callable[..., Stage]) -> None:
    """The one that is asked next has to begin anew, and does."""
    stage = begin(continuation=True)
    stage.turns(CUT, NO_PREFILL, AGAIN)
    check_whole(stage.chat())
    assert [len(one["messages"]) for one in stage.asked()] == [1, 2, 1]
    stage.turns(CUT, NO_PREFILL, NO_PREFILL)
    answer = stage.raw()
    assert answer.status == 200
    assert b"prefill" not in answer.body
    assert b"The stream was cut" in answer.body
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize("continuation", [False, True])
def test_completions_too(begin: Callable[..., Stage], continuation: bool) -> None:
    stage = begin(continuation=continuation)
    stage.turns(CUT, {**AGAIN, "continues": continuation})
    chunks = list(
        stage.client.completions.create(
            model="scripted", prompt="Tell:", stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == WHOLE
    assert {chunk.id for chunk in chunks} == {"cmpl-one"}
    check_usage(chunks)
    assert stage.asked()[1]["prompt"] == ("Tell:" + story(40) if continuation else "Tell:")


def test_a_fallback_goes_on_under_its_own_name(start_gateway: StartGateway, stack: ExitStack) -> None:
    """The only instance of the model has gone; chunks and the last comment name who really answers."""
    large, small = (stack.enter_context(ScriptedUpstream(card(name, models=[name]))) for name in ("large", "small"))
    stage = Stage(start_gateway(large, small, config="fallbacks: {large: [small]}\n"), [large, small])
    stage.turns(CUT, AGAIN)
    answer = stage.raw(model="large")
    told = [json.loads(event[6:]) for event in answer.body.split(b"\n\n") if event.startswith(b"data: {")]
    assert [chunk["model"] for chunk in told[:41]] == ["large"] * 41
    assert {chunk["model"] for chunk in told[41:]} == {"small"}
    assert {chunk["id"] for chunk in told} == {"cmpl-one"}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in told) == WHOLE
    assert answer.header("x-nexus-model") == "large"
    assert answer.body.endswith(b": x-nexus-attempts=2; x-nexus-model=small\n\ndata: [DONE]\n\n")
    line = stage.gateway.request_line(answer.header("x-request-id") or "")
    assert (line["model"], line["attempts"]) == ("small", 2)
    stage.client.close()


def test_it_can_be_turned_off(begin: Callable[..., Stage]) -> None:
    stage = begin(config="stream_recovery: error\n")
    stage.turns(CUT, AGAIN)
    answer = stage.raw()
    assert answer.body.count(b'"error"') == 1
    assert b"[DONE]" not in answer.body
    assert len(stage.asked()) == 1


def test_an_error_that_is_the_requests_own_is_passed_on(begin: Callable[..., Stage], stack: ExitStack) -> None:
    stage = begin()
    told = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
    stage.turns({"kind": "tell", "upto": 3, "end": "error", "error": told})
    answer = stage.raw()
    assert answer.body.endswith(b"data: " + json.dumps(told).encode() + b"\n\n")
    assert len(stage.asked()) == 1


def test_a_client_that_left_asks_nobody(begin: Callable[..., Stage]) -> None:
    stage = begin(config="timeouts: {idle: 0.5}\n")
    stage.turns({**CUT, "end": "hang"}, AGAIN)
    stream = stage.client.chat.completions.create(model="scripted", messages=MESSAGES, stream=True)
    next(iter(stream))
    stream.close()
    stage.gateway.wait_until_idle()
    assert len(stage.asked()) == 1
