"""What every engine of this service is: a painter that takes one order at a time and answers with one painting."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from PIL.Image import Image

from nexus.sdk.engine import Call


@dataclass(frozen=True, slots=True)
class Order:
    """One picture that is wanted, `width` by `height` pixels.

    `base` is a picture to start from, of that very size; `mask` (grey, of that size) is white where it may change, None
    where it may everywhere. `references` are further pictures, of any size. What is None is the painter's to choose.
    `previews` is how many unfinished states are wanted.
    """

    prompt: str
    width: int
    height: int
    seed: int
    base: Image | None = None
    mask: Image | None = None
    references: tuple[Image, ...] = ()
    negative_prompt: str | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    strength: float | None = None
    previews: int = 0
    varied: bool = False


@dataclass(frozen=True, slots=True)
class Painting:
    """A finished picture of the ordered size; `description` says what was drawn where that is not the prompt."""

    picture: Image
    description: str | None = None


def _nobody_looks(picture: Image) -> None:
    """What becomes of previews that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Easel:
    """Where a painter works on picture `position` (from 0) of `count`: it tells how far it is, and shows it."""

    call: Call
    position: int = 0
    count: int = 1
    show: Callable[[Image], None] = field(default=_nobody_looks)

    def progress(self, fraction: float) -> None:
        """Say how much of this picture is done, 0 to 1. Raises ApiError when nobody waits for it any more."""
        self.call.go_on()
        which = f"painting picture {self.position + 1} of {self.count}" if self.count > 1 else "painting"
        self.call.report((self.position + fraction) / self.count, which)


class Painter(Protocol):
    """One loaded model. `native` is the length in pixels of the square that it draws by itself."""

    native: int

    def paint(self, order: Order, easel: Easel) -> Painting:
        """The picture. Calls `easel.progress` at least twice a second where the model lets it. Raises ApiError."""
        ...

    def tokens(self, text: str) -> int:
        """How many tokens of input the text counts as."""
        ...

    def close(self) -> None:
        """Give back what the model holds."""
        ...
