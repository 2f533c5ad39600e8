"""Puts words before a prompt, in the shape of each operation that answers in text."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from nexus.contract.errors import INVALID_REQUEST, ApiError

Fields = dict[str, msgspec.Raw]
_BETWEEN: Final = "\n\n"
_LEADING: Final = ("system", "developer")


def before_messages(fields: Fields, words: str) -> None:
    """Chat: the words open the first message, if it is the system's, else they are one before it."""
    messages = _read(fields, "messages")
    if not isinstance(messages, list):
        raise _unreadable("messages", "a list of messages")
    first = messages[0] if messages else None
    if isinstance(first, dict) and first.get("role") in _LEADING:
        messages[0] = {**first, "content": _joined(words, first.get("content"), "messages")}
    else:
        messages.insert(0, {"role": "system", "content": words})
    _write(fields, "messages", messages)


def before_prompt(fields: Fields, words: str) -> None:
    """Completions: the words open each prompt, which must be text and not tokens."""
    prompt = _read(fields, "prompt")
    prompts = [prompt or ""] if prompt is None or isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not all(isinstance(one, str) for one in prompts):
        raise _unreadable("prompt", "text")
    written = [words + _BETWEEN + one for one in prompts]
    _write(fields, "prompt", written if isinstance(prompt, list) else written[0])


def before_instructions(fields: Fields, words: str) -> None:
    """Responses: the words open the instructions."""
    _write(fields, "instructions", _joined(words, _read(fields, "instructions"), "instructions"))


def before_system(fields: Fields, words: str) -> None:
    """Anthropic's messages: the words open the system prompt, which is text or a list of blocks."""
    _write(fields, "system", _joined(words, _read(fields, "system"), "system"))


PREFIXED: Final[Mapping[str, Callable[[Fields, str], None]]] = {
    "chat.completions": before_messages,
    "completions": before_prompt,
    "responses": before_instructions,
    "messages": before_system,
}


def _joined(words: str, said: Any, param: str) -> Any:
    """Text, or a list of parts, with the words at its front. Raises ApiError (400)."""
    if said is None or said == "":
        return words
    if isinstance(said, str):
        return words + _BETWEEN + said
    if isinstance(said, list):
        return [{"type": "text", "text": words}, *said]
    raise _unreadable(param, "text")


def _read(fields: Fields, name: str) -> Any:
    """A field's value. Raises ApiError (400) for text that is none, at which nobody has looked yet."""
    raw = fields.get(name)
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.", param=name) from error


def _write(fields: Fields, name: str, value: Any) -> None:
    fields[name] = msgspec.Raw(msgspec.json.encode(value))


def _unreadable(param: str, wanted: str) -> ApiError:
    return ApiError(
        INVALID_REQUEST, f"{param}: it should be {wanted}: your token's policy puts words before it.", param=param
    )
