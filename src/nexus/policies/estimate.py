"""Tokens counted by us, where an engine counts none: four bytes of text a token, one event of a stream a token."""

import re
from typing import Final

BYTES: Final = 4
SMALL: Final = 1024  # bytes of a body that has no room for a file worth telling apart
# Files in base64, with or without their kind:
_NO_TEXT: Final = re.compile(rb'"(?:data:[^"]*|[A-Za-z0-9+/=_-]{1024,})"')


def prompt_tokens(body: bytes) -> int:
    """About how many tokens a request in JSON has; pictures and other files in it count for none.

    A body of less than a KiB is counted whole: a file in it makes no difference worth looking for.
    """
    size = len(body)
    if size < SMALL:
        return size // BYTES or 1
    files = sum(found.end() - found.start() for found in _NO_TEXT.finditer(body))
    return max(1, (size - files) // BYTES)


def answer_tokens(events: int, size: int) -> int:
    """About how many tokens came in an answer of so many events, or, where it is no stream, of so many bytes."""
    return events or size // BYTES
