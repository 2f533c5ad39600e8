"""From OpenAI's request fields to Ollama's `options`: translated where Ollama can, refused where it cannot."""

from collections.abc import Mapping
from typing import Any, Final

from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.requests import stops
from nexus_ollama.errors import invalid
from nexus_ollama.known import Known

MOST_CHOICES: Final = 16
_RENAMED: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
_NUMBERS: Final[Mapping[str, tuple[type, ...]]] = {
    "num_ctx": (int,),
    "num_predict": (int,),
    "num_keep": (int,),
    "seed": (int,),
    "top_k": (int,),
    "repeat_last_n": (int,),
    "temperature": (int, float),
    "top_p": (int, float),
    "min_p": (int, float),
    "typical_p": (int, float),
    "repeat_penalty": (int, float),
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
}
"""What a request's own `options` may set. How the model is spread over the machine (num_gpu …) is the operator's."""
_TOP_LEVEL: Final = ("num_ctx", "top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n")
_HARMLESS: Final[Mapping[str, tuple[Any, ...]]] = {
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
    "keep_alive": (),
}
_EFFORTS: Final[Mapping[str, Any]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
}


def refuse_unsupported(request: ChatRequest | CompletionRequest) -> None:
    """Raise ApiError (400) for what OpenAI's API knows and Ollama does not, unless it asks for nothing."""
    if request.logit_bias:
        raise invalid("Ollama has no logit_bias", "logit_bias")
    if request.n is not None and request.n > MOST_CHOICES:
        raise invalid(f"n is at most {MOST_CHOICES} here", "n")
    for name, value in (request.model_extra or {}).items():
        if name in _HARMLESS and value is not None and value not in _HARMLESS[name]:
            raise invalid(f"{name} is not supported here", name)


def engine_options(
    request: ChatRequest | CompletionRequest, known: Known, limit: int | None, most_context: int
) -> dict[str, Any]:
    """Ollama's `options`: the entry's, then the request's own, then OpenAI's fields. Raises ApiError (400).

    `limit` is the request's largest answer in tokens, which is never 0: Ollama would take that for no bound.
    `most_context` bounds `num_ctx`, 0 meaning the model's own.
    """
    options = {**known.options, **_asked(request, known, most_context)}
    options.update({name: value for name in _RENAMED if (value := getattr(request, name)) is not None})
    if limit is not None:
        options["num_predict"] = limit
    if request.stop is not None:
        options["stop"] = stops(request)
    return options


def thinking(request: ChatRequest, known: Known) -> dict[str, Any]:
    """Ollama's `think` for `reasoning_effort`. Raises ApiError (400)."""
    effort = (request.model_extra or {}).get("reasoning_effort")
    if effort is None:
        return {}
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise invalid(f"reasoning_effort is one of {', '.join(_EFFORTS)}", "reasoning_effort")
    if effort != "none":
        known.need("thinking", "does not think", "reasoning_effort")
    return {"think": _EFFORTS[effort]} if known.can("thinking") else {}


def _asked(request: ChatRequest | CompletionRequest, known: Known, most_context: int) -> dict[str, Any]:
    """What the request says in Ollama's own words, at its top or in `options`."""
    extras = request.model_extra or {}
    given = extras.get("options") or {}
    if not isinstance(given, dict):
        raise invalid("options is an object", "options")
    told = {name: (name, extras[name]) for name in _TOP_LEVEL if extras.get(name) is not None}
    told.update({name: (f"options.{name}", value) for name, value in given.items()})
    for name, (param, value) in told.items():
        kinds = _NUMBERS.get(name)
        if kinds is None:
            raise invalid(f"a request may set {', '.join(_NUMBERS)}, not {name}", param)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise invalid(f"{name} is a {'whole number' if kinds == (int,) else 'number'}", param)
    if "num_ctx" in told:
        _check_context(*told["num_ctx"], known, most_context)
    return {name: value for name, (_, value) in told.items()}


def _check_context(param: str, value: int, known: Known, most_context: int) -> None:
    bounds = [bound for bound in (most_context, known.trained_context) if bound]
    if value < 1 or (bounds and value > min(bounds)):
        raise invalid(f"num_ctx is from 1 to {min(bounds)} here" if bounds else "num_ctx is at least 1", param)
