"""Which bytes a `Range` header asks for (RFC 9110, section 14). Pure."""

import re
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import RANGE_NOT_SATISFIABLE, ApiError

_SINGLE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to `end` of `size`."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        """The value of the header."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def parse_range(header: str | None, size: int) -> Span | None:
    """The span of a single range; None where the whole is to be sent: no range, several, or one of another kind.

    Raises ApiError (416) for a range that lies outside.
    """
    found = _SINGLE.fullmatch(header) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None  # such a header is invalid, and to be ignored
    if start >= end:
        raise ApiError(RANGE_NOT_SATISFIABLE, f"There are only {size} bytes.", param="range")
    return Span(start, end, size)
