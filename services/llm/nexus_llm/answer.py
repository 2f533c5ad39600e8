"""From steps to OpenAI's answers: the chunks of a streamed one, or the whole of one that is not."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus_llm.steps import Step

Answer = dict[str, Any]
_ENGINE_ONLY: Final = "id"  # the token's number, which the engine adds to each log probability


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of an answer, or the whole one, says first; `created` is in seconds since the epoch."""

    id: str
    created: int
    model: str
    fingerprint: str

    def of(self, kind: str) -> Answer:
        """The fields as they go over the wire, for an object of this kind."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def chat_chunks(steps: Iterable[Step], head: Head, usage: Callable[[], Answer] | None) -> Iterator[Answer]:
    """A streamed chat answer; `usage`, where it is asked for, is called at the end for a chunk of its own."""
    extra: Answer = {} if usage is None else {"usage": None}
    begun: set[int] = set()
    for step in steps:
        if step.index not in begun:
            begun.add(step.index)
            yield _chunk(head, step.index, _first_delta(step), None, None, extra)
        if step.delta:
            yield _chunk(head, step.index, step.delta, None, chat_logprobs(step.logprobs), extra)
        if step.finish:
            yield _chunk(head, step.index, {}, step.finish, None, extra)
    if usage is not None:
        yield {**head.of("chat.completion.chunk"), "choices": [], "usage": usage()}


def chat_answer(steps: Iterable[Step], head: Head, usage: Callable[[], Answer]) -> Answer:
    """A whole chat answer."""
    choices: dict[int, _ChatChoice] = {}
    for step in steps:
        choices.setdefault(step.index, _ChatChoice(step.index)).take(step)
    ordered = [choices[index].answer() for index in sorted(choices)]
    return {**head.of("chat.completion"), "choices": ordered, "usage": usage()}


def chat_logprobs(logprobs: Any) -> Answer | None:
    """The engine's log probabilities without what only the engine has."""
    if not logprobs or not logprobs.get("content"):
        return None
    content = [
        {**_public(entry), "top_logprobs": [_public(top) for top in entry.get("top_logprobs", ())]}
        for entry in logprobs["content"]
    ]
    return {"content": content, "refusal": None}


def _public(entry: Mapping[str, Any]) -> Answer:
    return {key: value for key, value in entry.items() if key != _ENGINE_ONLY}


def _first_delta(step: Step) -> Answer:
    return {"role": "assistant", "content": None if "tool_calls" in step.delta else "", "refusal": None}


def _chunk(
    head: Head, index: int, delta: Mapping[str, Any], finish: str | None, logprobs: Any, extra: Answer
) -> Answer:
    choice = {"index": index, "delta": dict(delta), "logprobs": logprobs, "finish_reason": finish}
    return {**head.of("chat.completion.chunk"), "choices": [choice], **extra}


@dataclass(slots=True)
class _ChatChoice:
    """One choice while its steps come in."""

    index: int
    finish: str | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: dict[int, Answer] = field(default_factory=dict)
    logprobs: list[Answer] = field(default_factory=list)

    def take(self, step: Step) -> None:
        for key, value in step.delta.items():
            if key == "tool_calls":
                for delta in value:
                    self._take_call(delta)
            elif isinstance(value, str):
                self.texts.setdefault(key, []).append(value)
        if found := chat_logprobs(step.logprobs):
            self.logprobs.extend(found["content"])
        self.finish = step.finish or self.finish

    def _take_call(self, delta: Answer) -> None:
        call = self.calls.setdefault(delta["index"], {"id": "", "type": "function", "name": "", "arguments": []})
        function = delta.get("function", {})
        call["id"] = delta.get("id") or call["id"]
        call["name"] = function.get("name") or call["name"]
        call["arguments"].append(function.get("arguments") or "")

    def answer(self) -> Answer:
        """The choice. A call that was cut off is left out, and `finish_reason` then says `length`."""
        calls = [_whole_call(self.calls[index]) for index in sorted(self.calls)]
        whole = [call for call in calls if _parses(call["function"]["arguments"])]
        if len(whole) < len(calls) and self.finish != "length":
            raise ApiError(UPSTREAM_ERROR, "the model's tool call is not valid JSON")
        message: Answer = {"role": "assistant", "refusal": None}
        message.update({key: "".join(pieces) for key, pieces in self.texts.items()})
        message.setdefault("content", None if self.calls else "")
        if whole:
            message["tool_calls"] = whole
        logprobs = {"content": self.logprobs, "refusal": None} if self.logprobs else None
        return {"index": self.index, "message": message, "logprobs": logprobs, "finish_reason": self.finish}


def _whole_call(call: Answer) -> Answer:
    function = {"name": call["name"], "arguments": "".join(call["arguments"])}
    return {"id": call["id"], "type": "function", "function": function}


def _parses(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True
