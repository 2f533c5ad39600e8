"""The composer: a commission becomes a score, the same one for the same commission and seed. No neural model."""

from collections.abc import Iterator
from typing import Final

from nexus_music.backing import bass, chords, pad
from nexus_music.drums import drums
from nexus_music.form import Form, shape
from nexus_music.melody import melody
from nexus_music.score import Note, Score
from nexus_music.seam import Commission
from nexus_music.style import Style, choose_style, source_of_chance

# Instruments whose own range is lower than the tune is written, by how many semitones.
_LOWER: Final = {42: -12, 43: -24, 57: -12, 58: -24, 60: -5, 66: -12, 70: -17, 71: -5}


def compose(commission: Commission) -> Score:
    """The score of a piece that is `commission.seconds` long."""
    style = choose_style(commission)
    form = shape(
        style,
        commission.seconds,
        commission.lyrics,
        commission.bpm is not None,
        source_of_chance(commission, "form"),
    )
    last = commission.seconds * form.bpm / 60
    notes = (note for note in _notes(commission, style, form) if note.role not in style.silent)
    return Score(
        bpm=form.bpm,
        swing=style.swing,
        programs=style.programs,
        kit=style.kit,
        sections=tuple(section.kind for section in form.sections),
        notes=tuple(_held(note, form, last) for note in notes),
    )


def _notes(commission: Commission, style: Style, form: Form) -> Iterator[Note]:
    bars, beats = form.bars, style.beats
    transposed = _LOWER.get(style.programs["lead"], 0)
    for note in melody(bars, beats, source_of_chance(commission, "melody")):
        yield Note(note.role, note.beat, note.beats, note.pitch + transposed, note.velocity)
    yield from chords(bars, beats, style.figure, source_of_chance(commission, "chords"))
    yield from pad(bars, beats)
    yield from bass(bars, beats, style.line, source_of_chance(commission, "bass"))
    yield from drums(bars, beats, style.beat, source_of_chance(commission, "drums"))


def _held(note: Note, form: Form, last: float) -> Note:
    """A note of the closing bar sounds to the end of the piece, wherever that is."""
    closing = form.bars[-1]
    if not closing.closing or note.beat < closing.beat or note.role == "drums":
        return note
    return Note(note.role, note.beat, max(note.beats, last - note.beat), note.pitch, note.velocity)
