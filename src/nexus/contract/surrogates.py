"""Halves of surrogate pairs: JSON can write them (`"\\ud800"`), Python reads them, and UTF-8 has no bytes for them."""

from collections.abc import Mapping
from typing import Any


def mended(value: Any) -> Any:
    """The same value of dicts, lists and texts: halves that belong together joined, the others U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {mended(key): mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mended(item) for item in value]
    return value
