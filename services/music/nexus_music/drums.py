"""The drums: patterns in sixteenths, a table of strings, with a fill at a section's end and a cymbal at its start."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nexus_music.form import Bar
from nexus_music.score import Note

KICK, RIM, SNARE, CLAP, HAT, OPEN_HAT, RIDE, CRASH = 36, 37, 38, 39, 42, 46, 51, 49
LOW_TOM, MIDDLE_TOM, HIGH_TOM, SHAKER = 45, 47, 50, 70

# x: struck, o: lightly, .: not. A bar of three beats takes the first twelve.
BEATS: Final[Mapping[str, Mapping[int, str]]] = {
    "pop": {KICK: "x.......x.x.....", SNARE: "....x.......x...", HAT: "x.o.x.o.x.o.x.o."},
    "rock": {KICK: "x.......x.x...o.", SNARE: "....x.......x...", HAT: "x.x.x.x.x.x.x.x."},
    "funk": {KICK: "x..x......x..x..", SNARE: "....x..o.o..x..o", HAT: "xoxoxoxoxoxoxoxo"},
    "dance": {
        KICK: "x...x...x...x...",
        CLAP: "....x.......x...",
        OPEN_HAT: "..x...x...x...x.",
        HAT: "o.o.o.o.o.o.o.o.",
    },
    "breaks": {KICK: "x.........x.....", SNARE: "....x..o.o..x...", HAT: "x.x.x.x.x.x.x.x."},
    "hiphop": {KICK: "x..o....o.x.....", SNARE: "....x.......x..o", HAT: "x.x.x.xox.x.x.xo"},
    "soft": {KICK: "o.......o.......", RIM: "....o.......o...", SHAKER: "o.o.o.o.o.o.o.o."},
    "swing": {RIDE: "x...x.o.x...x.o.", HAT: "....o.......o...", KICK: "o.......o.......", RIM: "..............o."},
    "bossa": {KICK: "x.....o.x.....o.", RIM: "x.....x.....x...", SHAKER: "o.o.o.o.o.o.o.o."},
    "onedrop": {KICK: "........x.......", RIM: "........x.......", HAT: "o.x.o.x.o.x.o.x."},
    "train": {KICK: "x.......x.......", SNARE: "o.oox.ooo.oox.oo"},
    "march": {KICK: "x.......x.......", SNARE: "x..oxoo.x..oxoxo"},
    "epic": {KICK: "x.....x.x.......", LOW_TOM: "x..x..x.x..x..x.", MIDDLE_TOM: "....o.......o.oo"},
    "waltz": {KICK: "x...............", RIM: "....o...o.......", HAT: "o...o...o......."},
}
# Fills take the last two beats of a bar.
_FILLS: Final[tuple[Mapping[int, str], ...]] = (
    {SNARE: "x.x.....", HIGH_TOM: "....x.x.", LOW_TOM: ".....x.x"},
    {SNARE: "....xxxx"},
    {HIGH_TOM: "xx......", MIDDLE_TOM: "..xx....", LOW_TOM: "....x.x."},
)
_FILL: Final = 8
_LIGHT: Final = frozenset((HAT, RIDE, SHAKER, RIM, MIDDLE_TOM))
_QUIET_SECTIONS: Final = ("intro", "bridge", "outro")
_QUIET: Final = 0.22
_WEIGHTS: Final = {"x": 1.0, "o": 0.62}


def drums(bars: Sequence[Bar], beats: int, beat: str, chance: random.Random) -> Iterator[Note]:
    """The drums of all bars: lighter in quiet sections; one stroke with a cymbal ends the piece."""
    for bar in bars:
        if bar.closing:
            yield from (_stroke(bar, 0, drum, 1.0) for drum in (KICK, CRASH))
            continue
        fill = chance.choice(_FILLS) if bar.left == 0 and bar.section not in ("intro", "outro") else {}
        for drum, pattern in _patterns(bar, beat).items():
            yield from _strokes(bar, drum, pattern[: 4 * beats - (_FILL if fill else 0)])
        for drum, pattern in fill.items():
            yield from _strokes(bar, drum, "." * (4 * beats - _FILL) + pattern)
        if bar.place == 0 and bar.section == "chorus":
            yield _stroke(bar, 0, CRASH, 0.9)


def _patterns(bar: Bar, beat: str) -> Mapping[int, str]:
    patterns = BEATS[beat]
    if bar.section not in _QUIET_SECTIONS and bar.energy > _QUIET:
        return patterns
    return {drum: pattern for drum, pattern in patterns.items() if drum in _LIGHT}


def _strokes(bar: Bar, drum: int, pattern: str) -> Iterator[Note]:
    for place, mark in enumerate(pattern):
        if mark in _WEIGHTS:
            yield _stroke(bar, place / 4, drum, _WEIGHTS[mark])


def _stroke(bar: Bar, place: float, drum: int, weight: float) -> Note:
    return Note("drums", bar.beat + place, 0.2, drum, round((52 + 56 * bar.energy) * weight))
