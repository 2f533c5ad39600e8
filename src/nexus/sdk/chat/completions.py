"""The older endpoint's answers made of steps: texts without roles, log probabilities in lists side by side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from nexus.sdk.chat.heads import Answer, Head
from nexus.sdk.chat.steps import Step

_KIND: Final = "text_completion"


class CompletionChunks:
    """A streamed completion: a chunk for each step, and at the end the usage, if `with_usage`.

    `top` is how many log probabilities a token are asked for, None meaning no log probabilities at all.
    """

    streamed: ClassVar[bool] = True

    def __init__(self, head: Head, top: int | None = None, *, with_usage: bool) -> None:
        self._head = head
        self._top = top
        self._with_usage = with_usage
        self._offsets: dict[int, int] = {}

    def take(self, step: Step) -> Iterator[Answer]:
        """What is to be sent for the step."""
        offset = self._offsets.get(step.index, 0)
        self._offsets[step.index] = offset + len(step.text)
        logprobs = _columns(step.logprobs, offset, self._top)
        choice = {"index": step.index, "text": step.text, "logprobs": logprobs, "finish_reason": step.finish}
        yield {**self._head.of(_KIND), "choices": [choice], **({"usage": None} if self._with_usage else {})}

    def end(self, usage: Answer) -> Iterator[Answer]:
        """What is to be sent after the last step."""
        if self._with_usage:
            yield {**self._head.of(_KIND), "choices": [], "usage": usage}


class WholeCompletion:
    """A whole completion, its choices put together from their steps; `top` as above."""

    streamed: ClassVar[bool] = False

    def __init__(self, head: Head, top: int | None = None) -> None:
        self._head = head
        self._top = top
        self._choices: dict[int, Answer] = {}

    def take(self, step: Step) -> Iterator[Answer]:
        """Note the step; nothing is to be sent yet."""
        blank: Answer = {"index": step.index, "text": "", "logprobs": None, "finish_reason": None}
        choice = self._choices.setdefault(step.index, blank)
        columns = _columns(step.logprobs, len(choice["text"]), self._top)
        choice["logprobs"] = _joined(choice["logprobs"], columns)
        choice["text"] += step.text
        choice["finish_reason"] = step.finish or choice["finish_reason"]
        return iter(())

    def end(self, usage: Answer) -> Iterator[Answer]:
        """The answer."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        yield {**self._head.of(_KIND), "choices": choices, "usage": usage}


def _columns(entries: Sequence[Mapping[str, Any]], offset: int, top: int | None) -> Answer | None:
    """The entries as lists side by side; the text before them has `offset` characters."""
    if top is None or not entries:
        return None
    columns: Answer = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for entry in entries:
        columns["tokens"].append(entry["token"])
        columns["token_logprobs"].append(entry["logprob"])
        columns["top_logprobs"].append({one["token"]: one["logprob"] for one in entry["top_logprobs"][:top]})
        columns["text_offset"].append(offset)
        offset += len(entry["token"])
    return columns


def _joined(first: Answer | None, second: Answer | None) -> Answer | None:
    if first is None or second is None:
        return first or second
    return {name: first[name] + second[name] for name in first}
