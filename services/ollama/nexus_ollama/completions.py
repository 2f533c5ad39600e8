"""`/v1/completions` over /api/generate: prompts one after another, without a chat template, choices numbered on."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.wire.base import each_text
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.upstream import Upstream
from nexus_ollama.answer import Answer, Head, Steps, chat_logprobs
from nexus_ollama.errors import invalid
from nexus_ollama.known import Known
from nexus_ollama.sampling import engine_options, refuse_unsupported, token_limit
from nexus_ollama.steps import Step, Tally, read_steps

PATH: Final = "/api/generate"
_KIND: Final = "text_completion"
_MOST_PROMPTS: Final = 64
_DEFAULT_TOKENS: Final = 16  # OpenAI's default for this endpoint


@dataclass(frozen=True, slots=True)
class Completions:
    """One request on its way to one model; `tally` counts the tokens of all its prompts."""

    upstream: Upstream
    request: CompletionRequest
    known: Known
    tally: Tally
    most_context: int

    async def steps(self) -> AsyncGenerator[Step, None]:
        """The choices of all prompts. Raises ApiError; for a refused request before the first step."""
        request = self.request
        body = self._body()
        choices = request.n or 1
        for position, prompt in enumerate(prompts(request)):
            for index in range(position * choices, (position + 1) * choices):
                if request.echo:
                    yield Step(index, {"content": prompt})
                async with aclosing(self._generate({**body, "prompt": prompt}, index, position)) as steps:
                    async for step in steps:
                        yield step

    def _body(self) -> dict[str, Any]:
        request = self.request
        refuse_unsupported(request)
        if request.best_of is not None and request.best_of != (request.n or 1):
            raise invalid("best_of other than n is not supported", "best_of")
        if request.echo and request.logprobs is not None:
            raise invalid("echo works without logprobs alone", "echo")
        body: dict[str, Any] = {**self.known.body(), "stream": True}
        body["truncate"] = body["shift"] = self.known.truncate
        if request.suffix:
            self.known.need("insert", "does not fill in between a prompt and a suffix", "suffix")
            body["suffix"] = request.suffix  # the model's template knows where it goes
        else:
            body["raw"] = True
        limit = token_limit("max_tokens", request.max_tokens) or _DEFAULT_TOKENS
        body["options"] = engine_options(request, self.known, limit, self.most_context)
        if request.logprobs is not None:
            body.update({"logprobs": True, "top_logprobs": request.logprobs})
        return body

    async def _generate(self, body: dict[str, Any], index: int, prompt: int) -> Steps:
        seed = body["options"].get("seed")
        if seed is not None:
            body = {**body, "options": {**body["options"], "seed": seed + index % (self.request.n or 1)}}
        async with self.upstream.stream("POST", PATH, json=body) as response:
            async for step in read_steps(response.lines(), index, self.tally, prompt):
                yield step


def prompts(request: CompletionRequest) -> list[str]:
    """The request's prompts, one by one. Raises ApiError (400): Ollama takes no tokens."""
    found: list[str] = []
    for text in each_text(request.prompt):
        if not isinstance(text, str):
            raise invalid("Ollama takes text, not tokens", "prompt")
        if not text:
            raise invalid("a prompt must not be empty", "prompt")
        found.append(text)
    if len(found) > _MOST_PROMPTS:
        raise invalid(f"at most {_MOST_PROMPTS} prompts at once", "prompt")
    return found


async def completion_chunks(
    steps: Steps, head: Head, request: CompletionRequest, tally: Tally, *, with_usage: bool
) -> AsyncIterator[Answer]:
    """A streamed completion; the usage, where it is asked for, in a chunk of its own at the end."""
    extra: Answer = {"usage": None} if with_usage else {}
    offsets: dict[int, int] = {}
    async with aclosing(steps):
        async for step in steps:
            logprobs = legacy_logprobs(step.logprobs, offsets.get(step.index, 0), request.logprobs)
            offsets[step.index] = offsets.get(step.index, 0) + len(step.text)
            choice = {"index": step.index, "text": step.text, "logprobs": logprobs, "finish_reason": step.finish}
            yield {**head.of(_KIND), "choices": [choice], **extra}
    if with_usage:
        yield {**head.of(_KIND), "choices": [], "usage": tally.usage()}


async def completion_answer(steps: Steps, head: Head, request: CompletionRequest, tally: Tally) -> Answer:
    """A whole completion."""
    choices: dict[int, Answer] = {}
    async with aclosing(steps):
        async for step in steps:
            blank: Answer = {"index": step.index, "text": "", "logprobs": None, "finish_reason": None}
            choice = choices.setdefault(step.index, blank)
            found = legacy_logprobs(step.logprobs, len(choice["text"]), request.logprobs)
            choice["logprobs"] = _joined(choice["logprobs"], found)
            choice["text"] += step.text
            choice["finish_reason"] = step.finish or choice["finish_reason"]
    ordered = [choices[index] for index in sorted(choices)]
    return {**head.of(_KIND), "choices": ordered, "usage": tally.usage()}


def legacy_logprobs(logprobs: tuple[Mapping[str, Any], ...], offset: int, top: int | None) -> Answer | None:
    """Log probabilities in the older endpoint's shape: lists side by side."""
    told = chat_logprobs(logprobs)
    if top is None or told is None:
        return None
    legacy: Answer = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for entry in told["content"]:
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
