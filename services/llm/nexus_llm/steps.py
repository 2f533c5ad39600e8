"""The engine's chunks read into steps, and counted."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from nexus.contract.errors import INTERNAL_ERROR, ApiError
from nexus.sdk.chat.steps import Step

_ENGINE_ONLY: Final = "id"  # the token's number, which the engine adds to each log probability


class Tally:
    """Counts a generation's tokens, choice by choice, from the timings that each chunk carries."""

    def __init__(self) -> None:
        self._prompt = 0
        self._cached = 0
        self._completions: dict[int, int] = {}

    def take(self, index: int, timings: Mapping[str, Any]) -> None:
        """Note how far choice `index` has come; the choices of a generation share one prompt."""
        cached = int(timings.get("cache_n", 0))
        if not self._completions:
            self._cached = cached
        self._prompt = max(self._prompt, cached + int(timings.get("prompt_n", 0)))
        self._completions[index] = int(timings.get("predicted_n", 0))

    def usage(self) -> dict[str, Any]:
        """OpenAI's `usage`."""
        completion = sum(self._completions.values())
        return {
            "prompt_tokens": self._prompt,
            "completion_tokens": completion,
            "total_tokens": self._prompt + completion,
            "prompt_tokens_details": {"cached_tokens": self._cached},
        }


def read_steps(chunks: Iterable[Mapping[str, Any]], tally: Tally, choices: int = 1) -> Iterator[Step]:
    """The steps in the engine's chunks; raises ApiError where they end before each of the choices has ended."""
    ended: set[int] = set()
    for chunk in chunks:
        if "prompt_progress" in chunk:  # the prompt is still being read
            continue
        for choice in chunk.get("choices", ()):
            index = choice["index"]
            if "timings" in chunk:
                tally.take(index, chunk["timings"])
            step = _step(choice)
            if step.finish:
                ended.add(index)
            if step.delta or step.finish:
                yield step
    if len(ended) < choices:
        raise ApiError(INTERNAL_ERROR, "the engine ended before the answer was complete")


def _step(choice: Mapping[str, Any]) -> Step:
    delta = choice["delta"] if "delta" in choice else {"content": choice.get("text")}
    kept = {key: value for key, value in delta.items() if key != "role" and value not in (None, "")}
    return Step(choice["index"], kept, choice.get("finish_reason"), _logprobs(choice.get("logprobs")))


def _logprobs(told: Any) -> tuple[Mapping[str, Any], ...]:
    """The engine's log probabilities without what only the engine has."""
    entries = told.get("content") if told else None
    return tuple(
        {**_public(entry), "top_logprobs": [_public(top) for top in entry.get("top_logprobs", ())]}
        for entry in entries or ()
    )


def _public(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != _ENGINE_ONLY}
