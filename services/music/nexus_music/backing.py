"""What plays below the tune: chords in a figure, held chords, and a bass line; the figures stand in tables."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nexus_music.form import Bar
from nexus_music.harmony import nearest, voiced
from nexus_music.score import Note

ALL: Final = -1
Figure = tuple[tuple[float, float, int], ...]  # beat in the bar, length in beats, which tone from below or ALL of them


def _arpeggio(beats: int, step: float, order: Sequence[int]) -> Figure:
    count = round(beats / step)
    return tuple((place * step, step * 1.8, order[place % len(order)]) for place in range(count))


def _struck(places: Sequence[float], length: float) -> Figure:
    return tuple((place, length, ALL) for place in places)


FIGURES: Final[Mapping[str, Mapping[int, Figure]]] = {
    "slow": {4: ((0, 4, ALL),), 3: ((0, 3, ALL),)},
    "block": {4: _struck((0, 2), 1.9), 3: _struck((0,), 2.9)},
    "arpeggio": {4: _arpeggio(4, 0.5, (0, 1, 2, 3, 4, 3, 2, 1)), 3: _arpeggio(3, 0.5, (0, 1, 2, 3, 2, 1))},
    "strum": {4: ((0, 1, ALL), (1, 0.5, ALL), (1.5, 1, ALL), (2.5, 0.5, ALL), (3, 0.5, ALL), (3.5, 0.5, ALL)),
              3: ((0, 1, ALL), (1, 0.5, ALL), (1.5, 0.5, ALL), (2, 0.5, ALL), (2.5, 0.5, ALL))},
    "pulse": {4: _struck([place / 2 for place in range(8)], 0.45), 3: _struck([place / 2 for place in range(6)], 0.45)},
    "gate": {4: _arpeggio(4, 0.25, (0, 2, 1, 3, 2, 4, 1, 3)), 3: _arpeggio(3, 0.25, (0, 2, 1, 3, 2, 4))},
    "stabs": {4: _struck((0, 0.75, 1.5, 2.5, 3.25), 0.4), 3: _struck((0, 0.75, 1.5, 2.25), 0.4)},
    "offbeat": {4: _struck((0.5, 1.5, 2.5, 3.5), 0.4), 3: _struck((0.5, 1.5, 2.5), 0.4)},
    "comp": {4: ((0, 1.3, ALL), (1.5, 0.6, ALL), (2.5, 1.2, ALL)), 3: ((0, 1.3, ALL), (1.5, 0.8, ALL))},
    "bossa": {4: _struck((0, 1.5, 2, 3.5), 0.9), 3: _struck((0, 1.5, 2.5), 0.9)},
    "waltz": {4: _struck((1, 2, 3), 0.8), 3: _struck((1, 2), 0.8)},
}  # fmt: skip

ROOT, FIFTH, OCTAVE = 0, 1, 2
LINES: Final[Mapping[str, Mapping[int, Figure]]] = {
    "root": {4: ((0, 4, ROOT),), 3: ((0, 3, ROOT),)},
    "half": {4: ((0, 1.9, ROOT), (2, 1.9, FIFTH)), 3: ((0, 1.9, ROOT), (2, 0.9, FIFTH))},
    "pushed": {4: ((0, 1.4, ROOT), (1.5, 0.5, ROOT), (2, 1.4, ROOT), (3.5, 0.5, FIFTH)),
               3: ((0, 1.4, ROOT), (1.5, 0.5, ROOT), (2, 0.9, FIFTH))},
    "eighths": {4: tuple((place / 2, 0.45, ROOT) for place in range(8)),
                3: tuple((place / 2, 0.45, ROOT) for place in range(6))},
    "offbeat": {4: tuple((place + 0.5, 0.45, ROOT) for place in range(4)),
                3: tuple((place + 0.5, 0.45, ROOT) for place in range(3))},
    "octaves": {4: tuple((place / 2, 0.4, OCTAVE if place % 2 else ROOT) for place in range(8)),
                3: tuple((place / 2, 0.4, OCTAVE if place % 2 else ROOT) for place in range(6))},
    "walking": {4: (), 3: ()},  # not a figure: `_walk` leads from each chord to the next
}  # fmt: skip
_STRUM_BEATS: Final = 0.025


def chords(bars: Sequence[Bar], beats: int, figure: str, chance: random.Random) -> Iterator[Note]:
    """The chords in a figure, now and then one stroke left out; the last one is held, its lowest tone
    struck again an octave higher."""
    for bar in bars:
        tones = voiced(bar.chord.tones, 62)
        half = beats / 2
        strokes = ((0, float(beats), ALL), (half, half, len(tones))) if bar.closing else FIGURES[figure][beats]
        for place, length, which in strokes:
            if which == ALL and place and chance.random() < 0.08:
                continue
            velocity = round(44 + 40 * bar.energy + (8 if place == 0 else 0))
            for late, pitch in enumerate(tones if which == ALL else (_rung(tones, which),)):
                lag = late * _STRUM_BEATS if figure == "strum" else 0.0
                yield Note("chords", bar.beat + place + lag, length - lag, pitch, velocity)


def pad(bars: Sequence[Bar], beats: int) -> Iterator[Note]:
    """Each chord held for its bar, in a low and open position."""
    for bar in bars:
        for pitch in voiced(bar.chord.tones[:3], 58):
            yield Note("pad", bar.beat, float(beats), pitch, round(34 + 36 * bar.energy))


def bass(bars: Sequence[Bar], beats: int, line: str, chance: random.Random) -> Iterator[Note]:
    """The bass line; the last note is held."""
    for at, bar in enumerate(bars):
        root = nearest(bar.chord.root, 38)
        velocity = round(60 + 40 * bar.energy)
        if bar.closing:
            yield Note("bass", bar.beat, float(beats), root, velocity)
        elif line == "walking":
            yield from _walk(bar, bars[min(at + 1, len(bars) - 1)], root, beats, velocity, chance)
        else:
            pitches = (root, nearest(bar.chord.tones[2], root + 4), root + 12)
            for place, length, which in LINES[line][beats]:
                yield Note("bass", bar.beat + place, length, pitches[which], velocity)


def _walk(bar: Bar, following: Bar, root: int, beats: int, velocity: int, chance: random.Random) -> Iterator[Note]:
    """A note a beat: the root, tones of the chord, and last the neighbour of the next root."""
    target = nearest(following.chord.root, 38)
    between = [nearest(chance.choice(bar.chord.tones[1:]), root + chance.choice((-3, 4))) for _ in range(beats - 2)]
    for place, pitch in enumerate((root, *between, target + chance.choice((-1, 1, 2)))):
        yield Note("bass", bar.beat + place, 0.95, pitch, velocity)


def _rung(tones: Sequence[int], which: int) -> int:
    """The tone of that number from below, going on an octave higher above the highest."""
    octave, place = divmod(which, len(tones))
    return tones[place] + 12 * octave
