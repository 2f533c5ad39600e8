"""What every kind of document becomes: one picture a page."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One page: `pixels` are height by width by 3, blue first; `dpi` is how many make an inch."""

    pixels: Pixels
    dpi: int

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


class Pages(Protocol):
    """An open document: how many pages it has, and each one's picture, made when it is asked for."""

    count: int

    def picture(self, index: int) -> Picture:
        """Raises ApiError (400) where that page cannot be drawn."""
        ...

    def close(self) -> None: ...
