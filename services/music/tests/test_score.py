"""From beats to samples: order, swing, overlaps; and the tune that comes again."""

import random
from itertools import pairwise

from nexus_music.compose import compose
from nexus_music.score import Note, Score, moments
from nexus_music.seam import Commission

RATE = 1000


def score(*notes: Note, swing: float = 0.5) -> Score:
    return Score(60, swing, {"lead": 0}, 0, ("verse",), notes)


def test_notes_begin_and_end_in_time() -> None:
    begun, ended = moments(score(Note("lead", 0, 1, 60, 80)), 5000, RATE, random.Random(1))
    assert (begun.frame, begun.pitch) == (0, 60)
    assert begun.velocity > 0
    assert (ended.frame, ended.velocity) == (988, 0)


def test_swing_moves_the_second_half_of_a_beat() -> None:
    straight = moments(score(Note("lead", 1.5, 0.5, 60, 80)), 9000, RATE, random.Random(1))[0]
    swung = moments(score(Note("lead", 1.5, 0.5, 60, 80), swing=0.66), 9000, RATE, random.Random(1))[0]
    assert 140 <= swung.frame - straight.frame <= 180


def test_a_note_ends_before_the_same_one_begins_again() -> None:
    notes = [Note("lead", beat / 4, 2, 60, 80) for beat in range(16)]
    sounding = False
    for moment in moments(score(*notes), 9000, RATE, random.Random(1)):
        assert sounding == (moment.velocity == 0)
        sounding = moment.velocity > 0


def test_nothing_happens_after_the_end() -> None:
    events = moments(score(Note("lead", 1, 9, 60, 80), Note("lead", 7, 1, 62, 80)), 5000, RATE, random.Random(1))
    assert [moment.frame for moment in events if moment.velocity == 0] == [5000]


def test_motifs_come_again() -> None:
    """The rhythm of the first bar of a phrase is that of its third, and each verse opens with the same one."""
    piece = compose(Commission("pop", (), "[Verse]\na\nb\nc\nd\n[Chorus]\na\nb\nc\nd\n[Verse]\na\nb\nc\nd", 40, 3))
    rhythms: dict[int, list[float]] = {}
    for note in piece.notes:
        if note.role == "lead":
            rhythms.setdefault(int(note.beat // 4), []).append(note.beat % 4)
    bars = round(max(note.beat for note in piece.notes) / 4)
    second_verse = next(bar for bar in range(4, bars) if bar % 2 == 0 and rhythms[bar] == rhythms[0])
    assert rhythms[0] == rhythms[2]
    assert rhythms[second_verse] == rhythms[second_verse + 2]


def test_a_melody_moves_mostly_in_small_steps() -> None:
    pitches = [note.pitch for note in compose(Commission("pop", (), "", 60, 5)).notes if note.role == "lead"]
    jumps = [abs(after - before) for before, after in pairwise(pitches)]
    assert len(set(pitches)) > 4
    assert sum(jump <= 5 for jump in jumps) > 0.8 * len(jumps)
