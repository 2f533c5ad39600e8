"""Knows a message again by its head: the same bytes as before, but for the number in `content-length`.

A client says one head again and again on its connection, and so does a service. What the parser found valid once is
valid again and means the same, so a message that is known again, whole and in one read, needs no parser. Laws:

- Only a head that the parser accepted as the first in its read, followed by its body and nothing else, is remembered.
- A message is known again only if everything but the digits of its length is equal, byte for byte, and if the
  digits are the size of exactly the rest of the read. All else is the parser's to judge.
"""

import re
from typing import Final, Generic, TypeVar

import msgspec

Meaning = TypeVar("Meaning")

LARGEST: Final = 8192  # bytes of a head that is worth remembering
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)


class Known(msgspec.Struct, Generic[Meaning], frozen=True):
    """A head: its bytes before and after the digits of its length, where they start, and what its reader made of it."""

    before: bytes
    start: int
    after: bytes
    meaning: Meaning

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if `data` is a whole message with this head; else None."""
        if data.startswith(self.before):
            digits, after, body = data[self.start :].partition(self.after)
            if after and digits == b"%d" % len(body):
                return body
        return None


def remember(data: bytes, size: int, meaning: Meaning) -> Known[Meaning] | None:
    """What to know the next message by, from a read in which the parser found a body of `size` bytes at last.

    None where the read is not one message and nothing else, or the message does not tell its length.
    """
    end = data.find(b"\r\n\r\n", 0, LARGEST) + 4
    if end + size != len(data):
        return None
    length = _LENGTH.search(data, 0, end)
    if length is None or length[1] != b"%d" % size:
        return None
    start, stop = length.span(1)
    return Known(data[:start], start, data[stop:end], meaning)
