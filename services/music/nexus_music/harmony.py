"""Keys, scales, chords and the progressions that pieces are made of; pitch classes count semitones from C."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SCALES: Final[Mapping[str, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}

# Degrees of the scale from 0, a chord a bar; per family those in bright modes, then those in dark ones.
PROGRESSIONS: Final[Mapping[str, tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]]] = {
    "pop": (
        ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 5, 4), (3, 0, 4, 5), (0, 2, 3, 4)),
        ((0, 5, 2, 6), (0, 3, 5, 6), (5, 6, 0, 0), (0, 6, 5, 6), (0, 2, 6, 3), (0, 5, 3, 4)),
    ),
    "dance": (
        ((0, 4, 5, 3), (5, 3, 0, 4), (0, 0, 3, 4)),
        ((0, 5, 2, 6), (0, 0, 5, 6), (5, 6, 0, 0), (0, 0, 3, 5), (0, 2, 5, 6)),
    ),
    "jazz": (
        ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (3, 4, 2, 5)),
        ((0, 3, 1, 4), (1, 4, 0, 0), (0, 5, 1, 4), (3, 6, 2, 5)),
    ),
    "blues": (
        ((0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4), (0, 3, 0, 0, 3, 3, 0, 0, 4, 3, 0, 0)),
        ((0, 0, 0, 0, 3, 3, 0, 0, 5, 4, 0, 4),),
    ),
    "classical": (
        ((0, 3, 4, 0), (0, 4, 5, 2, 3, 0, 3, 4), (0, 5, 1, 4), (0, 1, 4, 0), (0, 3, 0, 4)),
        ((0, 3, 4, 0), (0, 5, 3, 4), (0, 6, 5, 4), (0, 3, 6, 2, 5, 1, 4, 0)),
    ),
    "calm": (
        ((0, 3, 0, 3), (0, 5, 3, 0), (3, 0, 5, 4), (0, 2, 3, 0)),
        ((0, 5, 0, 5), (0, 3, 0, 6), (0, 2, 5, 6)),
    ),
}

_BRIGHT: Final = ("major", "mixolydian")
_LEADING: Final = ("pop", "jazz", "classical")
_LETTERS: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS: Final = {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_MODES: Final = {"m": "minor", "min": "minor", "maj": "major", **{name: name for name in SCALES}}
_KEY: Final = re.compile(r"([a-g])[ -]?(sharp|flat|[#♯b♭])?[ -]?([a-z]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chord:
    """The pitch classes of a chord, its root first, and those of the scale that fits it, in the scale's order."""

    tones: tuple[int, ...]
    scale: tuple[int, ...]

    @property
    def root(self) -> int:
        return self.tones[0]


def read_key(text: str) -> tuple[int, str | None]:
    """The tonic and, where one is named, the mode: of `C`, `F# minor`, `Bb major`, `Am`. Raises ValueError."""
    found = _KEY.fullmatch(text.strip())
    mode = found and found[3].lower()
    if not found or (mode and mode not in _MODES):
        raise ValueError(f"{text!r} is not a key; say, for example, 'C', 'F# minor' or 'Bb major'")
    tonic = _LETTERS[found[1].lower()] + _ACCIDENTALS.get((found[2] or "").lower(), 0)
    return tonic % 12, _MODES[mode] if mode else None


def progressions(family: str, mode: str) -> tuple[tuple[int, ...], ...]:
    """The progressions of a family that fit a mode."""
    bright, dark = PROGRESSIONS[family]
    return bright if mode in _BRIGHT else dark


def chord_on(degree: int, tonic: int, mode: str, family: str, sevenths: bool) -> Chord:
    """The chord on a degree of the scale. In minor the fifth degree has the leading tone; a blues has its sevenths."""
    scale = list(SCALES[mode])
    if degree == 4 and mode == "minor" and family in _LEADING:
        scale[6] = 11
    steps = [scale[(degree + 2 * third) % 7] for third in range(4 if sevenths else 3)]
    if family == "blues":
        root = scale[degree]
        steps = [root, root + 4, root + 7, root + 10] if mode in _BRIGHT else steps
        scale = sorted({(step % 12) for step in (*steps, 0, 2, 5, 7, 9, 10)})
    return Chord(tuple((tonic + step) % 12 for step in steps), tuple((tonic + step) % 12 for step in scale))


def voiced(tones: Sequence[int], centre: int) -> tuple[int, ...]:
    """The tones as pitches (MIDI numbers), each in the octave that is nearest to `centre`, from low to high."""
    return tuple(sorted(nearest(tone, centre) for tone in tones))


def nearest(tone: int, pitch: int) -> int:
    """The pitch of a pitch class that lies nearest to another pitch; of two, the lower."""
    above = pitch + (tone - pitch) % 12
    return above if above - pitch < 6 else above - 12
