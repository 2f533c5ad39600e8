"""Which pages of a document are wanted: what a request says, read against how many there are."""

import re
from collections.abc import Iterator
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError

Wanted = int | str | tuple[int | str, ...] | None

_RANGE: Final = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")


def chosen_pages(wanted: Wanted, count: int, most: int) -> tuple[int, ...]:
    """The indices (from 0, ascending, each once) of the wanted pages of a document with `count`; all for None.

    Raises ApiError (400, `pages`) for what cannot be read, for pages beyond the document, and beyond `most` pages.
    """
    if wanted is None:
        pages = tuple(range(count))
    else:
        found: set[int] = set()
        for first, last in _ranges(wanted):
            if last >= count:
                raise _refusal(f"there is no page {last}: the document has {count} (they count from 0)")
            found.update(range(first, last + 1))
        pages = tuple(sorted(found))
    if len(pages) > most:
        raise _refusal(f"{len(pages)} pages are more than the {most} that are read at once; ask for fewer")
    return pages


def _ranges(wanted: int | str | tuple[int | str, ...]) -> Iterator[tuple[int, int]]:
    """First and last of each part; a bare number is both."""
    if isinstance(wanted, tuple):
        for part in wanted:
            yield from _ranges(part)
        return
    for text in str(wanted).split(","):
        match = _RANGE.fullmatch(text.strip())
        if match is None:
            raise _refusal(f"{text.strip()[:40]!r} is neither a page number nor a range such as 0-2")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise _refusal(f"the range {text.strip()} runs backwards")
        yield first, last


def _refusal(reason: str) -> ApiError:
    return ApiError(INVALID_REQUEST, f"pages: {reason}", param="pages")
