"""Splitting a page's lines into columns, in the order in which they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Final

from nexus_ocr.lines import Line

_LEAST_LINES: Final = 3  # of a column
_PROSE_WIDTH: Final = 8  # times a line's height: lines of running text are at least so wide
_MOST_CROSSING: Final = 0.25  # of all lines: headings and the like, which stand across the columns
_SHARED_HEIGHT: Final = 0.5  # of the shorter of two columns


@dataclass(frozen=True, slots=True)
class _Split:
    """Lines left of a gap that runs down the page, right of it, and across it."""

    left: tuple[Line, ...]
    right: tuple[Line, ...]
    across: tuple[Line, ...]
    width: float


def in_columns(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines in groups that are read one after the other: columns from left to right, what crosses them between."""
    split = _best_split(lines)
    if split is None:
        return [list(lines)]
    crossing = {id(line) for line in split.across}
    groups: list[list[Line]] = []
    ordered = sorted(lines, key=lambda line: line.box.middle)
    for across, run in groupby(ordered, key=lambda line: id(line) in crossing):
        part = list(run)
        if across:
            groups.append(part)
            continue
        for side in (split.left, split.right):
            members = {id(line) for line in side}
            own = [line for line in part if id(line) in members]
            if own:
                groups.extend(in_columns(own))
    return groups


def _best_split(lines: Sequence[Line]) -> _Split | None:
    """The gap that the fewest lines cross, the widest of several; None where nothing looks like columns."""
    splits = [_split(lines, edge) for edge in sorted({round(line.box.right) for line in lines})]
    fitting = [split for split in splits if _fits(split, len(lines))]
    return min(fitting, key=lambda split: (len(split.across), -split.width), default=None)


def _split(lines: Sequence[Line], edge: float) -> _Split:
    left = tuple(line for line in lines if line.box.right <= edge + 1)
    right = tuple(line for line in lines if line.box.left > edge + 1)
    beside = {id(line) for line in (*left, *right)}
    across = tuple(line for line in lines if id(line) not in beside)
    width = min((line.box.left for line in right), default=edge) - edge
    return _Split(left, right, across, width)


def _fits(split: _Split, count: int) -> bool:
    if min(len(split.left), len(split.right)) < _LEAST_LINES or len(split.across) > _MOST_CROSSING * count:
        return False
    height = median(line.box.height for line in (*split.left, *split.right))
    if split.width < height / 2:
        return False
    sides = (split.left, split.right)
    if any(median(line.box.width for line in side) < _PROSE_WIDTH * height for side in sides):
        return False
    tops = [min(line.box.top for line in side) for side in sides]
    bottoms = [max(line.box.bottom for line in side) for side in sides]
    shorter = min(bottom - top for top, bottom in zip(tops, bottoms, strict=True))
    return min(bottoms) - max(tops) >= _SHARED_HEIGHT * shorter
