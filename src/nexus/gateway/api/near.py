"""Near misses: what a client that named something unknown may have meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message: a question with the closest names, or empty where none is close."""
    by_folded = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name[:256].lower(), by_folded, 3, 0.6)
    return f" Did you mean {', '.join(repr(by_folded[one]) for one in near)}?" if near else ""
