"""`/v1/completions` over /api/generate: prompts one after another, without a chat template, choices numbered on."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.answers import Steps
from nexus.sdk.chat.requests import DEFAULT_COMPLETION_TOKENS, Prompt, answer_limit, prompts
from nexus.sdk.chat.steps import Step
from nexus.sdk.upstream import Upstream
from nexus_ollama.errors import invalid
from nexus_ollama.known import Known
from nexus_ollama.sampling import engine_options, refuse_unsupported
from nexus_ollama.steps import Tally, read_steps

PATH: Final = "/api/generate"


@dataclass(frozen=True, slots=True)
class Completions:
    """One request on its way to one model; `tally` counts the tokens of all its prompts."""

    upstream: Upstream
    request: CompletionRequest
    known: Known
    tally: Tally
    most_context: int

    async def steps(self) -> Steps:
        """The choices of all prompts. Raises ApiError; for a refused request before the first step."""
        request = self.request
        body = self._body()
        choices = request.n or 1
        for position, prompt in enumerate([_text(prompt) for prompt in prompts(request)]):
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
        limit = answer_limit(request) or DEFAULT_COMPLETION_TOKENS
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


def _text(prompt: Prompt) -> str:
    if not isinstance(prompt, str):
        raise invalid("Ollama takes text, not tokens", "prompt")
    return prompt
