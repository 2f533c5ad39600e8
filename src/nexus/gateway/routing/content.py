"""What a body holds that rules ask for: tools, pictures, and by what a conversation is known. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

_PICTURES: Final = frozenset(("image_url", "input_image", "image"))
"""The types of parts that are pictures: chat's, that of responses, that of Anthropic's messages."""

_PICTURE_IN_FORM: Final = re.compile(rb'(?<!file)name="?(?:image|input_reference)', re.IGNORECASE)
_SPELT: Final = b"\\u00"  # letters can be written so, too
_ANSWERED: Final = "assistant"
T = TypeVar("T")


class _Tools(msgspec.Struct):
    tools: Any = None
    functions: Any = None


class _Pictures(msgspec.Struct):
    messages: Any = None
    input: Any = None
    document: Any = None
    image: Any = None
    images: Any = None


class _Conversation(msgspec.Struct):
    prompt_cache_key: Any = None
    safety_identifier: Any = None
    user: Any = None
    messages: Any = msgspec.field(default_factory=list)


_tools: Final = msgspec.json.Decoder(_Tools)
_pictures: Final = msgspec.json.Decoder(_Pictures)
_conversation: Final = msgspec.json.Decoder(_Conversation)


def has_tools(body: bytes) -> bool:
    """Whether a request in JSON brings tools, or functions, as they were called once."""
    if b"tools" not in body and b"functions" not in body and _SPELT not in body:
        return False
    found = _read(_tools, body)
    return found is not None and bool(found.tools or found.functions)


def has_images(body: bytes) -> bool:
    """Whether a request in JSON brings pictures, in what is said or to be worked on."""
    if b"image" not in body and _SPELT not in body:
        return False
    found = _read(_pictures, body)
    if found is None:
        return False
    if found.image or found.images:
        return True
    said = [found.messages, found.input, found.document]
    return any(kind in _PICTURES for part in _parts(said) if isinstance(kind := part.get("type"), str))


def form_has_images(body: bytes) -> bool:
    """Whether a form brings pictures to be worked on."""
    return _PICTURE_IN_FORM.search(body) is not None


def conversation(body: bytes) -> bytes | None:
    """What stays the same through a conversation in JSON; None for what is the first that is said, or no conversation.

    That is what its client says (`prompt_cache_key`, `safety_identifier`, `user`, in this order), else all up to the
    first answer: what was asked alone would put everybody who says the same on one side of a split.
    """
    found = _read(_conversation, body)
    if found is None:
        return None
    for said in (found.prompt_cache_key, found.safety_identifier, found.user):
        if isinstance(said, str) and said:
            return said.encode()
    messages = found.messages if isinstance(found.messages, list) else []
    for index, message in enumerate(messages):
        if isinstance(message, dict) and message.get("role") == _ANSWERED:
            return json.dumps(messages[: index + 1]).encode()
    return None


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """What a body holds; None for what is no JSON object."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
