"""From the lines found on a page to what a person would read: columns, rows, paragraphs, headings. Pure geometry.

The rules are few and careful: text is split into columns only where both sides look like running text (a form or a
receipt is read across), and a heading is only what is much larger than the rest of its page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from nexus_ocr.columns import in_columns
from nexus_ocr.lines import Box, Line, around

_SHARED_HEIGHT: Final = 0.5  # of the smaller of two lines that stand beside one another
_LEAST_GAP: Final = 0.6  # of a line's height; closer rows are always of one paragraph
_WIDER_GAP: Final = 1.4  # times the gap that is usual around it
_MOST_GAP: Final = 1.5  # of a line's height; rows further apart are never of one paragraph
_OTHER_SIZE: Final = 1.5  # rows whose heights differ by more are not of one paragraph
_HEADING: Final = 1.45  # times the height of the page's running text
_LARGE_HEADING: Final = 1.9
_HEADING_ROWS: Final = 3
_HEADING_LETTERS: Final = 200
_RUNNING_ROWS: Final = 2  # with fewer there is nothing to compare with


@dataclass(frozen=True, slots=True)
class Row:
    """Lines beside one another, from left to right."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def box(self) -> Box:
        return around([line.box for line in self.lines])

    @property
    def height(self) -> float:
        return median(line.box.height for line in self.lines)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a heading; `level` is 1 or 2 for headings, 0 for text."""

    rows: tuple[Row, ...]
    level: Literal[0, 1, 2] = 0

    @property
    def text(self) -> str:
        """Its rows line by line; a heading's on one line, as Markdown wants it."""
        return (" " if self.level else "\n").join(row.text for row in self.rows)

    @property
    def markdown(self) -> str:
        return f"{'#' * self.level} {self.text}" if self.level else self.text

    @property
    def box(self) -> Box:
        return around([row.box for row in self.rows])

    @property
    def height(self) -> float:
        return median(row.height for row in self.rows)


def arranged(lines: Sequence[Line]) -> tuple[Block, ...]:
    """The blocks of a page in reading order."""
    blocks = [block for column in in_columns(lines) for block in _paragraphs(_rows(column))]
    running = _running_height(blocks)
    return tuple(Block(block.rows, _level(block, blocks, running)) for block in blocks)


def markdown(blocks: Sequence[Block]) -> str:
    """The page's text, an empty line between blocks."""
    return "\n\n".join(block.markdown for block in blocks)


def _rows(lines: Sequence[Line]) -> list[Row]:
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.middle):
        if rows and _beside(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [Row(tuple(sorted(row, key=lambda line: line.box.left))) for row in rows]


def _beside(row: Sequence[Line], line: Line) -> bool:
    """Whether the line stands in the row: at the height of the one before it, and not under any of them."""
    last = row[-1].box
    shared = min(last.bottom, line.box.bottom) - max(last.top, line.box.top)
    if shared < _SHARED_HEIGHT * min(last.height, line.box.height):
        return False
    return all(_shared_width(other.box, line.box) < min(other.box.width, line.box.width) / 2 for other in row)


def _shared_width(one: Box, other: Box) -> float:
    return min(one.right, other.right) - max(one.left, other.left)


def _paragraphs(rows: Sequence[Row]) -> list[Block]:
    gaps = [after.box.top - before.box.bottom for before, after in pairwise(rows)]
    usual = median(gaps) if gaps else 0.0
    blocks: list[list[Row]] = []
    for row in rows:
        if blocks and _continues(blocks[-1][-1], row, usual):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return [Block(tuple(block)) for block in blocks]


def _continues(before: Row, row: Row, usual: float) -> bool:
    small, large = sorted((before.height, row.height))
    if large > _OTHER_SIZE * small:
        return False
    return row.box.top - before.box.bottom <= min(max(_LEAST_GAP * small, _WIDER_GAP * usual), _MOST_GAP * small)


def _running_height(blocks: Sequence[Block]) -> float:
    """The height of a row of running text: the one that most letters have."""
    heights = sorted((row.height, len(row.text)) for block in blocks for row in block.rows)
    half = sum(letters for _, letters in heights) / 2
    passed = 0
    for height, letters in heights:
        passed += letters
        if passed >= half:
            return height
    return 0.0


def _level(block: Block, blocks: Sequence[Block], running: float) -> Literal[0, 1, 2]:
    if block.height < _HEADING * running:
        return 0
    if len(block.rows) > _HEADING_ROWS or len(block.text) > _HEADING_LETTERS:
        return 0
    if sum(len(other.rows) for other in blocks if other.height < _HEADING * running) < _RUNNING_ROWS:
        return 0
    return 1 if block.height >= _LARGE_HEADING * running else 2
