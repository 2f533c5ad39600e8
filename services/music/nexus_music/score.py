"""A score: notes in beats, and the moments in samples at which a synthesiser is told of them."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_LOOSE_SECONDS: Final = 0.005
_LOOSEST_SECONDS: Final = 0.012
_LOOSE_VELOCITY: Final = 5


@dataclass(frozen=True, slots=True)
class Note:
    """One note of one role: where it begins and how long it lasts, in beats; its pitch and how hard, 1 to 127."""

    role: str
    beat: float
    beats: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Score:
    """A whole piece. `programs` are the General MIDI instruments of the roles, `kit` the drums' bank number."""

    bpm: float
    swing: float
    programs: Mapping[str, int]
    kit: int
    sections: tuple[str, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """At `frame`, a note of `role` begins or, with velocity 0, ends."""

    frame: int
    velocity: int
    role: str
    pitch: int


def moments(score: Score, frames: int, rate: int, chance: random.Random) -> tuple[Moment, ...]:
    """What happens in the first `frames` samples, in order (ends before beginnings), as loose in time as players are.

    A note ends a little early, so that it never ends one of the same pitch that follows it.
    """
    seconds = 60 / score.bpm
    found: set[Moment] = set()
    for note in _without_overlaps(score.notes):
        loose = min(_LOOSEST_SECONDS, max(-_LOOSEST_SECONDS, chance.gauss(0, _LOOSE_SECONDS))) if note.beat else 0.0
        begin = max(0, round((_swung(note.beat, score.swing) * seconds + loose) * rate))
        ends = _swung(note.beat + note.beats, score.swing) * seconds - _LOOSEST_SECONDS
        end = max(begin + 1, round(ends * rate))
        velocity = min(127, max(8, note.velocity + round(chance.gauss(0, _LOOSE_VELOCITY))))
        if begin < frames:
            found.add(Moment(begin, velocity, note.role, note.pitch))
            found.add(Moment(min(end, frames), 0, note.role, note.pitch))
    return tuple(sorted(found))


def _without_overlaps(notes: Iterable[Note]) -> Iterable[Note]:
    """The notes, those cut short during which the same pitch of the same role begins again."""
    following: dict[tuple[str, int], float] = {}
    kept = []
    for note in sorted(notes, key=lambda note: note.beat, reverse=True):
        next_beat = following.get((note.role, note.pitch))
        if next_beat == note.beat:
            continue
        beats = note.beats if next_beat is None else min(note.beats, next_beat - note.beat)
        kept.append(Note(note.role, note.beat, beats, note.pitch, note.velocity))
        following[note.role, note.pitch] = note.beat
    return reversed(kept)


def _swung(beat: float, swing: float) -> float:
    """The moment of a beat when the second half of each begins at `swing` of it."""
    whole, part = divmod(beat, 1)
    return whole + (part * swing / 0.5 if part < 0.5 else swing + (part - 0.5) * (1 - swing) / 0.5)
