"""`/v1/completions`: prompts one after another, their choices numbered on, in the older endpoint's shapes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nexus.contract.wire.base import each_text
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.engine import Call
from nexus_llm.answer import Answer, Head
from nexus_llm.native import Native
from nexus_llm.request import invalid, refuse_unsupported, sampling, token_limit
from nexus_llm.steps import Step, Tally, read_steps

_KIND: Final = "text_completion"
_MOST_PROMPTS: Final = 64
_DEFAULT_TOKENS: Final = 16  # OpenAI's default for this endpoint

Prompt = str | Sequence[int]


@dataclass(slots=True)
class Completions:
    """One request on its way to one model; `tallies` count, one for each prompt."""

    native: Native
    request: CompletionRequest
    call: Call
    tallies: list[Tally] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """The choices of all prompts. Raises ApiError, for a refused request before the first step."""
        request = self.request
        refuse_unsupported(request)
        _refuse(request)
        body = {"max_tokens": _DEFAULT_TOKENS, **sampling(request, self.native.settings.parallel)}
        body.update(token_limit("max_tokens", request.max_tokens))
        if request.logprobs is not None:
            body["logprobs"] = max(1, request.logprobs)
        return self._of_prompts(body, prompts(request))

    def usage(self) -> Answer:
        """The usage of all prompts together."""
        usages = [tally.usage() for tally in self.tallies]
        counts = {
            name: sum(usage[name] for usage in usages)
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        }
        cached = sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages)
        return {**counts, "prompt_tokens_details": {"cached_tokens": cached}}

    def _of_prompts(self, body: Mapping[str, Any], wanted: Sequence[Prompt]) -> Iterator[Step]:
        choices = self.request.n or 1
        for position, prompt in enumerate(wanted):
            tally = Tally()
            self.tallies.append(tally)
            echoed = prompt if self.request.echo and isinstance(prompt, str) else ""
            for index in range(choices if echoed else 0):
                yield Step(position * choices + index, {"content": echoed})
            for step in read_steps(self.native.text({**body, "prompt": prompt}, self.call), tally, choices):
                yield Step(position * choices + step.index, step.delta, step.finish, step.logprobs)


def prompts(request: CompletionRequest) -> list[Prompt]:
    """The request's prompts, one by one. Raises ApiError (400)."""
    found: list[Prompt] = [item if isinstance(item, str) else list(item) for item in each_text(request.prompt)]
    if len(found) > _MOST_PROMPTS:
        raise invalid(f"at most {_MOST_PROMPTS} prompts at once", "prompt")
    if not all(found):
        raise invalid("a prompt must not be empty", "prompt")
    return found


def completion_chunks(steps: Iterator[Step], head: Head, request: Completions, with_usage: bool) -> Iterator[Answer]:
    """A streamed completion; the usage, where it is asked for, in a chunk of its own at the end."""
    extra: Answer = {"usage": None} if with_usage else {}
    offsets: dict[int, int] = {}
    for step in steps:
        logprobs = legacy_logprobs(step.logprobs, offsets.get(step.index, 0), request.request.logprobs)
        offsets[step.index] = offsets.get(step.index, 0) + len(step.text)
        choice = {"index": step.index, "text": step.text, "logprobs": logprobs, "finish_reason": step.finish}
        yield {**head.of(_KIND), "choices": [choice], **extra}
    if with_usage:
        yield {**head.of(_KIND), "choices": [], "usage": request.usage()}


def completion_answer(steps: Iterator[Step], head: Head, request: Completions) -> Answer:
    """A whole completion."""
    choices: dict[int, Answer] = {}
    for step in steps:
        blank: Answer = {"index": step.index, "text": "", "logprobs": None, "finish_reason": None}
        choice = choices.setdefault(step.index, blank)
        found = legacy_logprobs(step.logprobs, len(choice["text"]), request.request.logprobs)
        choice["logprobs"] = _joined(choice["logprobs"], found)
        choice["text"] += step.text
        choice["finish_reason"] = step.finish or choice["finish_reason"]
    ordered = [choices[index] for index in sorted(choices)]
    return {**head.of(_KIND), "choices": ordered, "usage": request.usage()}


def legacy_logprobs(logprobs: Any, offset: int, top: int | None) -> Answer | None:
    """The engine's log probabilities in the older endpoint's shape: lists side by side."""
    if top is None or not logprobs or not logprobs.get("content"):
        return None
    legacy: Answer = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for entry in logprobs["content"]:
        legacy["tokens"].append(entry["token"])
        legacy["token_logprobs"].append(entry["logprob"])
        legacy["top_logprobs"].append({one["token"]: one["logprob"] for one in entry["top_logprobs"][:top]})
        legacy["text_offset"].append(offset)
        offset += len(entry["token"])
    return legacy


def _joined(first: Answer | None, second: Answer | None) -> Answer | None:
    if first is None or second is None:
        return first or second
    return {name: first[name] + second[name] for name in first}


def _refuse(request: CompletionRequest) -> None:
    if request.suffix:
        raise invalid("this model does not fill in between a prompt and a suffix", "suffix")
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise invalid("best_of other than n is not supported", "best_of")
    if request.echo and (request.logprobs is not None or not _is_text(request.prompt)):
        raise invalid("echo works for text prompts without logprobs", "echo")


def _is_text(prompt: Any) -> bool:
    return isinstance(prompt, str) or all(isinstance(item, str) for item in prompt)
