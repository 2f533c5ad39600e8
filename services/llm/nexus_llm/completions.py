"""`/v1/completions`: prompts one after another, their choices numbered on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.requests import DEFAULT_COMPLETION_TOKENS, Prompt, answer_limit, prompts
from nexus.sdk.chat.steps import Step
from nexus.sdk.engine import Call
from nexus_llm.native import Native
from nexus_llm.request import invalid, refuse_unsupported, sampling
from nexus_llm.steps import Tally, read_steps


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
        body = sampling(request, self.native.settings.parallel)
        body["max_tokens"] = answer_limit(request) or DEFAULT_COMPLETION_TOKENS
        if request.logprobs is not None:
            body["logprobs"] = max(1, request.logprobs)
        return self._of_prompts(body, prompts(request))

    def usage(self) -> dict[str, Any]:
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


def _refuse(request: CompletionRequest) -> None:
    if request.suffix:
        raise invalid("this model does not fill in between a prompt and a suffix", "suffix")
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise invalid("best_of other than n is not supported", "best_of")
    if request.echo and (request.logprobs is not None or not _is_text(request.prompt)):
        raise invalid("echo works for text prompts without logprobs", "echo")


def _is_text(prompt: Any) -> bool:
    return isinstance(prompt, str) or all(isinstance(item, str) for item in prompt)
