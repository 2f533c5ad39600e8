"""One line of text as it was found on a page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """In pixels from the top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Half way down."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Line:
    """A line's text with how sure each of its characters is, from 0 to 1."""

    text: str
    box: Box
    scores: tuple[float, ...]


def around(boxes: list[Box]) -> Box:
    """The smallest box that holds them all."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )
