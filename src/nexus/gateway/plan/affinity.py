"""What a call's prompt begins with, as a number: calls that begin alike find their beginning in an engine's cache."""

from collections.abc import Mapping
from typing import Final
from zlib import crc32

from nexus.gateway.values import Call

PREFIX: Final = 1024
"""Bytes that are looked at. Conversations only grow at their end, so that those of a longer one stay what they are; a
shorter one has nothing in a cache that would be worth a detour."""

_BEGINS_AT: Final[Mapping[str, bytes]] = {
    "chat.completions": b'"messages"',
    "messages": b'"messages"',
    "completions": b'"prompt"',
    "responses": b'"input"',
}
"""Where the prompt stands in the body of an operation."""


def prefix_of(call: Call) -> int | None:
    """The number; None for operations without a prompt, and for prompts that are short."""
    body = call.request.body
    if len(body) < PREFIX:
        return None
    key = _BEGINS_AT.get(call.request.head.endpoint.operation)
    if key is None:
        return None
    start = body.find(key)
    if start < 0 or len(body) < start + PREFIX:
        return None
    return crc32(body[start : start + PREFIX])
