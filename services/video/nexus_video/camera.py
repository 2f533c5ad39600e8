"""How a camera moves over a still picture, and when one still gives way to the next: arithmetic alone."""

import math
import random
from dataclasses import dataclass
from typing import Final

from nexus_video.pictures import Box

_FADE: Final = 0.8  # seconds that one still takes to give way to the next
_STEADY: Final = 0.5


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees of the part of a picture that fits the film: `zoom` 1 is all of it, 1.25 is 1 / 1.25 of its
    width. `across` and `down` say where in the room that the zoom leaves: -1 at the left or top, 1 at the right or
    bottom."""

    zoom: float
    across: float = 0.0
    down: float = 0.0

    def box(self, whole: Box) -> Box:
        """What is seen of `whole`, between pixels where it falls so."""
        left, top, right, bottom = whole
        width, height = (right - left) / self.zoom, (bottom - top) / self.zoom
        seen_left = left + (right - left - width) * (1 + self.across) / 2
        seen_top = top + (bottom - top - height) * (1 + self.down) / 2
        return seen_left, seen_top, seen_left + width, seen_top + height


@dataclass(frozen=True, slots=True)
class Move:
    """A camera's way from one view to another."""

    start: View
    end: View

    def at(self, progress: float) -> View:
        """The view at `progress` (0 to 1). Zooms go by factors, so that a zoom looks evenly fast."""
        part = eased(progress)
        return View(
            self.start.zoom * (self.end.zoom / self.start.zoom) ** part,
            _between(self.start.across, self.end.across, part),
            _between(self.start.down, self.end.down, part),
        )


OPENING: Final = Move(View(1.0), View(1.25))  # begins with the whole of the picture
MOVES: Final = (
    OPENING,
    Move(View(1.3), View(1.0)),
    Move(View(1.25, across=-1.0), View(1.25, across=1.0)),
    Move(View(1.25, across=1.0), View(1.25, across=-1.0)),
    Move(View(1.25, down=-1.0), View(1.25, down=1.0)),
    Move(View(1.25, down=1.0), View(1.25, down=-1.0)),
    Move(View(1.05, across=-0.6, down=-0.6), View(1.4, across=0.5, down=0.4)),
    Move(View(1.4, across=0.6, down=-0.4), View(1.05, across=-0.5, down=0.5)),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One still's time on screen: frames `first` to before `end`; it fades in over its first `fade` frames."""

    first: int
    end: int
    fade: int
    move: Move

    def progress(self, frame: int) -> float:
        """How much of the shot is over at a frame, 0 to 1."""
        return (frame - self.first) / max(1, self.end - 1 - self.first)

    def strength(self, frame: int) -> float:
        """How much of the shot is seen at a frame, 0 to 1: less than all while it fades in over the one before."""
        if frame - self.first >= self.fade:
            return 1.0
        part = (frame - self.first + 1) / (self.fade + 1)
        return (1 - math.cos(math.pi * part)) / 2


def shots(stills: int, count: int, fps: int, seed: int, *, opening: bool) -> tuple[Shot, ...]:
    """A film of `count` frames shared evenly among the stills, each shown on while the next one fades in over it.

    The same seed gives the same moves, no two running the same. `opening`: the first begins with its whole picture.
    """
    stills = min(stills, count)
    chance = random.Random(seed)  # noqa: S311 - no secret
    starts = [count * still // stills for still in range(stills)] + [count]
    fade = min(round(_FADE * fps), count // stills // 2)
    made: list[Shot] = []
    for still in range(stills):
        others = [move for move in MOVES if not made or move is not made[-1].move]
        move = OPENING if opening and still == 0 else chance.choice(others)
        last = still == stills - 1
        made.append(Shot(starts[still], count if last else starts[still + 1] + fade, fade if still else 0, move))
    return tuple(made)


def eased(progress: float) -> float:
    """Slower at both ends of a move, but never still: half of it steady, half a sine's."""
    return _STEADY * progress + (1 - _STEADY) * (1 - math.cos(math.pi * progress)) / 2


def _between(start: float, end: float, part: float) -> float:
    return start + (end - start) * part
