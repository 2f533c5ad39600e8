"""From steps to OpenAI's chat answers: the chunks of a streamed one, or the whole of one that is not."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from nexus_ollama.steps import Step

Answer = dict[str, Any]
Steps = AsyncGenerator[Step, None]


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of an answer, or the whole one, says first; `created` is in seconds since the epoch."""

    id: str
    created: int
    model: str

    def of(self, kind: str) -> Answer:
        """The fields as they go over the wire, for an object of this kind."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_ollama",
        }


async def chat_chunks(steps: Steps, head: Head, usage: Callable[[], Answer] | None) -> AsyncIterator[Answer]:
    """A streamed chat answer; `usage`, where it is asked for, is called at the end for a chunk of its own."""
    extra: Answer = {} if usage is None else {"usage": None}
    begun: set[int] = set()
    async with aclosing(steps):
        async for step in steps:
            if step.index not in begun:
                begun.add(step.index)
                first = {"role": "assistant", "content": None if "tool_calls" in step.delta else "", "refusal": None}
                yield _chunk(head, step.index, first, None, None, extra)
            if step.delta or step.logprobs:
                yield _chunk(head, step.index, step.delta, None, chat_logprobs(step.logprobs), extra)
            if step.finish:
                yield _chunk(head, step.index, {}, step.finish, None, extra)
    if usage is not None:
        yield {**head.of("chat.completion.chunk"), "choices": [], "usage": usage()}


async def chat_answer(steps: Steps, head: Head, usage: Callable[[], Answer]) -> Answer:
    """A whole chat answer."""
    choices: dict[int, _Choice] = {}
    async with aclosing(steps):
        async for step in steps:
            choices.setdefault(step.index, _Choice(step.index)).take(step)
    ordered = [choices[index].answer() for index in sorted(choices)]
    return {**head.of("chat.completion"), "choices": ordered, "usage": usage()}


def chat_logprobs(logprobs: Sequence[Mapping[str, Any]]) -> Answer | None:
    """Ollama's log probabilities in OpenAI's shape, which leaves out no field."""
    if not logprobs:
        return None
    content = [
        {**_token(entry), "top_logprobs": [_token(top) for top in entry.get("top_logprobs") or ()]}
        for entry in logprobs
    ]
    return {"content": content, "refusal": None}


def _token(entry: Mapping[str, Any]) -> Answer:
    token = str(entry.get("token", ""))
    return {
        "token": token,
        "logprob": entry.get("logprob", 0.0),
        "bytes": entry.get("bytes") or list(token.encode()),
    }


def _chunk(
    head: Head, index: int, delta: Mapping[str, Any], finish: str | None, logprobs: Any, extra: Answer
) -> Answer:
    choice = {"index": index, "delta": dict(delta), "logprobs": logprobs, "finish_reason": finish}
    return {**head.of("chat.completion.chunk"), "choices": [choice], **extra}


@dataclass(slots=True)
class _Choice:
    """One choice while its steps come in."""

    index: int
    finish: str | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: list[Answer] = field(default_factory=list)
    logprobs: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, step: Step) -> None:
        for key, value in step.delta.items():
            if key == "tool_calls":
                self.calls.extend({name: part for name, part in call.items() if name != "index"} for call in value)
            else:
                self.texts.setdefault(key, []).append(value)
        self.logprobs.extend(step.logprobs)
        self.finish = step.finish or self.finish

    def answer(self) -> Answer:
        message: Answer = {"role": "assistant", "refusal": None}
        message.update({key: "".join(pieces) for key, pieces in self.texts.items()})
        message.setdefault("content", None if self.calls else "")
        if self.calls:
            message["tool_calls"] = self.calls
        return {
            "index": self.index,
            "message": message,
            "logprobs": chat_logprobs(self.logprobs),
            "finish_reason": self.finish,
        }
