"""The seam between the service and what makes its frames: an order in, frames out, one after another."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nexus.sdk.engine import Call
from nexus_video.order import Order

Frame = NDArray[np.uint8]  # height by width by 3: red, green, blue


@dataclass(frozen=True, slots=True)
class Film:
    """Exactly the order's frames at the order's size, made while they are taken.

    `done` is the part of the whole work (0 to 1) that is already behind when the first frame comes.
    """

    frames: Iterator[Frame]
    done: float


class Filmmaker(Protocol):
    """One model of the service."""

    def film(self, order: Order, call: Call) -> Film:
        """The frames of an order. It, and every frame, may raise ApiError."""
        ...

    def close(self) -> None:
        """Give back what making it took."""
        ...
