"""From OpenAI's request to the engine's: what it can do is translated, what it cannot is refused, never ignored."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.contract.wire.messages import AssistantMessage, Content, Message, RefusalPart, TextPart, ToolMessage
from nexus.sdk.chat.requests import answer_limit, stops

_SAMPLER_EXTRAS: Final = ("top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n")
_HARMLESS: Final[Mapping[str, tuple[Any, ...]]] = {
    "store": (False,),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
    "reasoning_effort": ("none",),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
_SEED_SPAN: Final = 0xFFFFFFFF  # the engine's seeds are below; this one would mean a random seed


def invalid(message: str, param: str) -> ApiError:
    """A 400 that names the offending part."""
    return ApiError(INVALID_REQUEST, message, param=param)


def refuse_unsupported(request: ChatRequest | CompletionRequest) -> None:
    """Raise ApiError for what is known to OpenAI's API but not to this engine, unless it asks for nothing."""
    for name, value in (request.model_extra or {}).items():
        if name in _HARMLESS and value is not None and value not in _HARMLESS[name]:
            raise invalid(f"{name} is not supported by this model", name)


def sampling(request: ChatRequest | CompletionRequest, parallel: int) -> dict[str, Any]:
    """The engine's sampling fields, alike for both operations; `parallel` bounds how many choices there may be."""
    if request.n is not None and request.n > parallel:
        raise invalid(f"n is at most {parallel} here", "n")
    body: dict[str, Any] = {
        name: value
        for name in ("temperature", "top_p", "n", "presence_penalty", "frequency_penalty")
        if (value := getattr(request, name)) is not None
    }
    if request.seed is not None:
        body["seed"] = request.seed % _SEED_SPAN
        body["cache_prompt"] = False  # a prompt read in other batches may round differently, and seeds promise sameness
    if request.stop is not None:
        body["stop"] = stops(request)
    if request.logit_bias:
        body["logit_bias"] = [_bias(token, bias) for token, bias in request.logit_bias.items()]
    extras = request.model_extra or {}
    body.update({name: extras[name] for name in _SAMPLER_EXTRAS if extras.get(name) is not None})
    return body


def chat_sampling(request: ChatRequest, parallel: int) -> dict[str, Any]:
    """All of the engine's fields for a chat request but its messages, tools and grammar."""
    refuse_unsupported(request)
    body = sampling(request, parallel)
    if (limit := answer_limit(request)) is not None:
        body["max_tokens"] = limit
    if request.top_logprobs and not request.logprobs:
        raise invalid("top_logprobs needs logprobs to be true", "top_logprobs")
    if request.logprobs:
        body.update({"logprobs": True, "top_logprobs": request.top_logprobs or 0})
    return body


def plain_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages with their text as strings, calls and results kept, for a chat template."""
    return [_plain(message, f"messages[{position}]") for position, message in enumerate(messages)]


def _plain(message: Message, where: str) -> dict[str, Any]:
    role = "system" if message.role == "developer" else message.role
    plain: dict[str, Any] = {"role": role, "content": _text(message.content, where)}
    if isinstance(message, AssistantMessage) and message.tool_calls:
        plain["tool_calls"] = [call.model_dump(mode="json") for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _text(content: Content | None, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for position, part in enumerate(content):
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, RefusalPart):
            texts.append(part.refusal)
        else:
            raise invalid(f"this model reads text only, not {part.type}", f"{where}.content[{position}].type")
    return "".join(texts)


def _bias(token: str, bias: float) -> list[float]:
    try:
        return [int(token), bias]
    except ValueError as error:
        raise invalid(f"{token!r} is not a token's number", "logit_bias") from error
