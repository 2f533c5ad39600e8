"""Patterns of names: `*` stands for any run of characters, `?` for one, all else for itself."""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

_MEANINGS: Final = {"*": ".*", "?": "."}


class Globs:
    """Several patterns, any of which may match; none match nothing. Compares as the patterns do."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self.everything = "*" in self.patterns

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile("|".join(_expression(re.sub(r"\*+", "*", one)) for one in self.patterns), re.DOTALL)

    def allows(self, name: str) -> bool:
        """Whether a name is one of those that are meant."""
        return self.everything or (bool(self.patterns) and self._expression.fullmatch(name) is not None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Globs) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def __repr__(self) -> str:
        return f"Globs({self.patterns!r})"


def _expression(pattern: str) -> str:
    return "".join(_MEANINGS.get(character, re.escape(character)) for character in pattern)


def everything() -> Globs:
    """The pattern that leaves out nothing."""
    return Globs(("*",))
