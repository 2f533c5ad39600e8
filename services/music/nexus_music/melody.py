"""The tune: short motifs that come again over the changing chords, in phrases of four bars that end in a rest."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nexus_music.form import Bar
from nexus_music.harmony import nearest
from nexus_music.score import Note

# Lengths in beats, a rest being negative; by beats of the bar, from calm to lively.
_RHYTHMS: Final[Mapping[int, tuple[tuple[tuple[float, ...], ...], ...]]] = {
    4: (
        ((2, 2), (3, 1), (1, 3), (2, 1, 1), (-1, 1, 2)),
        ((1, 1, 2), (1.5, 0.5, 2), (1, 0.5, 0.5, 2), (1.5, 0.5, 1, 1), (0.5, 0.5, 1, 2), (-0.5, 0.5, 1, 2)),
        ((0.5, 0.5, 1, 1, 1), (1, 0.5, 0.5, 1, 1), (1.5, 1.5, 1), (-0.5, 0.5, 0.5, 0.5, 1, 1), (1, 0.5, 1, 0.5, 1)),
        ((0.5, 0.5, 0.5, 0.5, 1, 1), (0.5, 1, 0.5, 0.5, 0.5, 1), (0.75, 0.75, 0.5, 1, 0.5, 0.5),
         (1.5, 0.5, 0.5, 0.5, 1)),
    ),
    3: (
        ((3,), (2, 1), (1, 2)),
        ((2, 1), (1, 1, 1), (1.5, 0.5, 1)),
        ((1, 1, 1), (1, 0.5, 0.5, 1), (1.5, 0.5, 0.5, 0.5), (-1, 1, 1)),
        ((0.5, 0.5, 1, 1), (1, 0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5, 1)),
    ),
}  # fmt: skip
_STEPS: Final = (-2, -1, -1, -1, 0, 1, 1, 1, 2)
_CENTRES: Final = {"verse": 67, "prechorus": 69, "chorus": 73, "bridge": 70, "outro": 66}
_LOWEST, _HIGHEST = 57, 86
_FAREST: Final = 4


@dataclass(frozen=True, slots=True)
class Motif:
    """One bar of tune without its pitches: lengths in beats (a rest is negative), and steps of the scale from the
    pitch that the bar starts from."""

    lengths: tuple[float, ...]
    offsets: tuple[int, ...]


def melody(bars: Sequence[Bar], beats: int, chance: random.Random) -> Iterator[Note]:
    """The tune over the bars. Sections of one kind have the same two motifs; an intro has none."""
    motifs: dict[str, tuple[Motif, Motif]] = {}
    pitch = _CENTRES["verse"]
    for bar in bars:
        if bar.section not in motifs:
            motifs[bar.section] = (_motif(bar, beats, chance), _motif(bar, beats, chance))
        if bar.section == "intro":
            continue
        start = _start(bar, pitch)
        notes = list(_played(bar, _bar_motif(bar, motifs[bar.section], beats), start))
        yield from notes
        pitch = notes[-1].pitch if notes else pitch


def _motif(bar: Bar, beats: int, chance: random.Random) -> Motif:
    liveliness = min(3, max(0, round(bar.energy * 3 + chance.uniform(-0.4, 0.4))))
    lengths = chance.choice(_RHYTHMS[beats][liveliness])
    offsets = [0]
    for _ in lengths[1:]:
        step = chance.choice(_STEPS)
        offsets.append(offsets[-1] + (step if abs(offsets[-1] + step) <= _FAREST else -step))
    return Motif(lengths, tuple(offsets))


def _bar_motif(bar: Bar, motifs: tuple[Motif, Motif], beats: int) -> Motif:
    """The motif of a bar by its place in the phrase: a, b, a turned upwards a step, and the end of the phrase."""
    first, second = motifs
    if bar.closing:
        return Motif((beats,), (0,))
    place = bar.place % 4
    if place == 3 or bar.left == 0:
        return Motif((beats / 2, beats / 4, -beats / 4), (first.offsets[-1] % 2, 0, 0))
    if place == 2:
        return Motif(first.lengths, (*first.offsets[:-1], first.offsets[-1] + 1))
    return second if place == 1 else first


def _start(bar: Bar, before: int) -> int:
    """The chord's tone to start from: near what was played before, drawn to the middle of the section's range."""
    if bar.closing:
        return nearest(bar.chord.root, before)
    centre = (before + 2 * _CENTRES[bar.section]) // 3
    return min((nearest(tone, centre) for tone in bar.chord.tones), key=lambda pitch: abs(pitch - centre))


def _played(bar: Bar, motif: Motif, start: int) -> Iterator[Note]:
    ladder = [pitch for pitch in range(_LOWEST, _HIGHEST + 1) if pitch % 12 in bar.chord.scale]
    foot = min(range(len(ladder)), key=lambda at: abs(ladder[at] - start))
    place = 0.0
    for length, offset in zip(motif.lengths, motif.offsets, strict=True):
        if length > 0:
            pitch = ladder[min(len(ladder) - 1, max(0, foot + offset))]
            heavy = place % 2 == 0 or length >= 1.5
            if heavy and pitch % 12 not in bar.chord.tones:
                pitch = min((nearest(tone, pitch) for tone in bar.chord.tones), key=lambda tone: abs(tone - pitch))
            velocity = round(62 + 46 * bar.energy + (6 if place == 0 else 0))
            yield Note("lead", bar.beat + place, length * 0.95, pitch, velocity)
        place += abs(length)
