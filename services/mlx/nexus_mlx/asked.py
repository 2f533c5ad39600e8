"""From OpenAI's requests to the body that mlx_lm.server is sent; what it would ignore or get wrong is a 400 by name.

Only fields that are named here go on. Others may do harm: `model`, `draft_model` and `adapters` make the server
download what they name, and an http image URL makes it fetch that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.contract.wire.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    Part,
    RefusalPart,
    SystemMessage,
    TextPart,
    ToolMessage,
)

Body = dict[str, Any]
_PASSED: Final = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
    "stop",
    # its own, which clients may send along with OpenAI's
    "top_k",
    "min_p",
    "repetition_penalty",
    "repetition_context_size",
    "presence_context_size",
    "frequency_context_size",
    "xtc_probability",
    "xtc_threshold",
)
_NO_LOGPROBS: Final = "mlx_lm.server gives no log probabilities that hold a token's text"


def chat_body(request: ChatRequest, name: str, most_tokens: int) -> Body:
    """What the server is asked for a chat request, the model called by `name`; always as a stream, since only there it
    learns that the caller has left. `most_tokens` is for requests that give none. What the server does not know (`n`,
    formats, calls that are demanded) is `held`'s. Raises ApiError (400)."""
    _refuse(bool(request.logprobs), "logprobs", _NO_LOGPROBS)
    _refuse(request.top_logprobs is not None, "top_logprobs", _NO_LOGPROBS)
    most = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    body = _body(request, name, most_tokens if most is None else most)
    body["messages"] = [_message(message, at) for at, message in enumerate(request.messages)]
    if request.tools and request.tool_choice != "none":
        body["tools"] = [tool.model_dump(mode="json", exclude_none=True) for tool in request.tools]
    template = (request.model_extra or {}).get("chat_template_kwargs")
    if template is not None:
        _refuse(not isinstance(template, dict), "chat_template_kwargs", "give an object")
        body["chat_template_kwargs"] = template
    return body


def completion_body(request: CompletionRequest, name: str, most_tokens: int) -> Body:
    """The same for a text completion."""
    _refuse(request.n not in (None, 1), "n", "mlx_lm.server makes one answer a call")
    _refuse(request.best_of not in (None, 1), "best_of", "mlx_lm.server makes one answer a call")
    _refuse(request.logprobs is not None, "logprobs", _NO_LOGPROBS)
    _refuse(bool(request.echo), "echo", "mlx_lm.server does not repeat the prompt")
    _refuse(bool(request.suffix), "suffix", "mlx_lm.server does not fill in before a suffix")
    prompt = request.prompt
    if isinstance(prompt, tuple) and len(prompt) == 1 and isinstance(prompt[0], str):
        prompt = prompt[0]
    _refuse(not isinstance(prompt, str), "prompt", "mlx_lm.server takes one text a call, and no tokens")
    body = _body(request, name, most_tokens if request.max_tokens is None else request.max_tokens)
    body["prompt"] = prompt
    return body


def smallest_body(name: str) -> Body:
    """The least that makes the server load the model `name`."""
    return {"model": name, "prompt": "a", "max_tokens": 1, "stream": True, "stream_options": {"include_usage": True}}


def _body(request: ChatRequest | CompletionRequest, name: str, most_tokens: int) -> Body:
    given: Mapping[str, Any] = request.model_dump(mode="json", by_alias=True)
    _refuse(most_tokens < 1, "max_tokens", "mlx_lm.server makes at least one token")
    body = {field: given[field] for field in _PASSED if given.get(field) is not None}
    return {
        **body,
        "model": name,
        "max_tokens": most_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _message(message: Message, at: int) -> Body:
    role = "system" if isinstance(message, SystemMessage) else message.role  # templates do not know `developer`
    body: Body = {"role": role, "content": _content(message.content, at)}
    if isinstance(message, AssistantMessage) and message.tool_calls:
        body["tool_calls"] = [call.model_dump(mode="json") for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        body["tool_call_id"] = message.tool_call_id
    return body


def _content(content: str | tuple[Part, ...] | None, at: int) -> Any:
    """The content as the server takes it: one text where there are only texts, else its parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = list(_parts(content, at))
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _parts(content: Iterable[Part], at: int) -> Iterable[Body]:
    for number, part in enumerate(content):
        param = f"messages[{at}].content[{number}]"
        if isinstance(part, TextPart):
            yield {"type": "text", "text": part.text}
        elif isinstance(part, RefusalPart):
            yield {"type": "text", "text": part.refusal}
        elif isinstance(part, ImagePart):
            url = part.image_url.url
            _refuse(not url.startswith("data:"), f"{param}.image_url.url", "send the image as a data: URL")
            yield {"type": "image_url", "image_url": {"url": url}}
        else:
            raise _refusal(f"{param}.type", f"mlx_lm.server takes texts and images, not {part.type}")


def _refuse(wrong: bool, param: str, reason: str) -> None:
    if wrong:
        raise _refusal(param, reason)


def _refusal(param: str, reason: str) -> ApiError:
    return ApiError(INVALID_REQUEST, f"{param}: {reason}", param=param)
