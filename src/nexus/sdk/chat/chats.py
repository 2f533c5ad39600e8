"""Chat's answers made of steps: the chunks of a streamed one, or the whole of one that is not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.sdk.chat.heads import Answer, Head
from nexus.sdk.chat.steps import Step

_CHUNK: Final = "chat.completion.chunk"


class ChatChunks:
    """A streamed answer: the role once for each choice, then its pieces, why it ended in a chunk of its own; and at the
    end the usage, if `with_usage`."""

    streamed: ClassVar[bool] = True

    def __init__(self, head: Head, *, with_usage: bool) -> None:
        self._head = head
        self._with_usage = with_usage
        self._begun: set[int] = set()

    def take(self, step: Step) -> Iterator[Answer]:
        """What is to be sent for the step."""
        if step.index not in self._begun:
            self._begun.add(step.index)
            yield self._chunk(step.index, _first_delta(step))
        if step.delta or step.logprobs:
            yield self._chunk(step.index, step.delta, logprobs=_logprobs(step.logprobs))
        if step.finish:
            yield self._chunk(step.index, {}, finish=step.finish)

    def end(self, usage: Answer) -> Iterator[Answer]:
        """What is to be sent after the last step."""
        if self._with_usage:
            yield {**self._head.of(_CHUNK), "choices": [], "usage": usage}

    def _chunk(
        self, index: int, delta: Mapping[str, Any], *, finish: str | None = None, logprobs: Answer | None = None
    ) -> Answer:
        choice = {"index": index, "delta": dict(delta), "logprobs": logprobs, "finish_reason": finish}
        return {**self._head.of(_CHUNK), "choices": [choice], **({"usage": None} if self._with_usage else {})}


class WholeChat:
    """A whole answer, its choices put together from their steps."""

    streamed: ClassVar[bool] = False

    def __init__(self, head: Head) -> None:
        self._head = head
        self._choices: dict[int, _Choice] = {}

    def take(self, step: Step) -> Iterator[Answer]:
        """Note the step; nothing is to be sent yet."""
        self._choices.setdefault(step.index, _Choice(step.index)).take(step)
        return iter(())

    def end(self, usage: Answer) -> Iterator[Answer]:
        """The answer. Raises ApiError (502) for a tool call that is no JSON."""
        choices = [self._choices[index].answer() for index in sorted(self._choices)]
        yield {**self._head.of("chat.completion"), "choices": choices, "usage": usage}


@dataclass(slots=True)
class _Choice:
    """One choice while its steps come in."""

    index: int
    finish: str | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: dict[int, "_ToolCall"] = field(default_factory=dict)
    logprobs: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, step: Step) -> None:
        for key, value in step.delta.items():
            if key == "tool_calls":
                for delta in value:
                    self.calls.setdefault(delta["index"], _ToolCall()).take(delta)
            elif isinstance(value, str):
                self.texts.setdefault(key, []).append(value)
        self.logprobs.extend(step.logprobs)
        self.finish = step.finish or self.finish

    def answer(self) -> Answer:
        """The choice. A call that was cut off is left out, and `finish_reason` then says `length`."""
        calls = [self.calls[index] for index in sorted(self.calls)]
        whole = [call.answer() for call in calls if call.parses]
        if len(whole) < len(calls) and self.finish != "length":
            raise ApiError(UPSTREAM_ERROR, "the model's tool call is not valid JSON")
        message: Answer = {"role": "assistant", "refusal": None}
        message.update({key: "".join(pieces) for key, pieces in self.texts.items()})
        message.setdefault("content", None if calls else "")
        if whole:
            message["tool_calls"] = whole
        logprobs = _logprobs(self.logprobs)
        return {"index": self.index, "message": message, "logprobs": logprobs, "finish_reason": self.finish}


@dataclass(slots=True)
class _ToolCall:
    """One call while its pieces come in."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def take(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function", {})
        self.id = delta.get("id") or self.id
        self.name = function.get("name") or self.name
        self.arguments += function.get("arguments") or ""

    @property
    def parses(self) -> bool:
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True

    def answer(self) -> Answer:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


def _first_delta(step: Step) -> Answer:
    return {"role": "assistant", "content": None if "tool_calls" in step.delta else "", "refusal": None}


def _logprobs(entries: Sequence[Mapping[str, Any]]) -> Answer | None:
    return {"content": list(entries), "refusal": None} if entries else None
