"""The form of a piece: how many bars, which sections, and which chord in each bar."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from nexus_music.harmony import Chord, chord_on, progressions
from nexus_music.style import Style

_MARK: Final = re.compile(r"([\[(])([^\[\]()]{1,40})[\])]:?")
_WORDS: Final = re.compile(r"[a-z]+")
_KINDS: Final[Mapping[str, str]] = {
    "prechorus": "prechorus", "pre": "prechorus", "intro": "intro", "verse": "verse", "chorus": "chorus",
    "hook": "chorus", "refrain": "chorus", "drop": "chorus", "bridge": "bridge", "solo": "bridge",
    "interlude": "bridge", "instrumental": "bridge", "break": "bridge", "outro": "outro", "ending": "outro",
    "end": "outro",
}  # fmt: skip
_ENERGIES: Final[Mapping[str, float]] = {
    "intro": 0.6, "verse": 0.8, "prechorus": 0.9, "chorus": 1.1, "bridge": 0.75, "outro": 0.65,
}  # fmt: skip
_USUAL: Final = ("verse", "chorus", "verse", "chorus", "bridge", "chorus")
_MOST_BENT: Final = 0.12
_LEAST_TO_CLOSE: Final = 3  # shorter pieces just end


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its kind (`intro`, `verse`, `prechorus`, `chorus`, `bridge`, `outro`) and its length in bars."""

    kind: str
    bars: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `beat` is the beat of the piece at which it begins; `place` its place in its section, `left` how many
    come after it there; `closing` marks the piece's last one, where the tonic rests."""

    beat: float
    section: str
    chord: Chord
    energy: float
    place: int
    left: int
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """The bars of a piece and the tempo at which they fill its time."""

    bpm: float
    sections: tuple[Section, ...]
    bars: tuple[Bar, ...]


def shape(style: Style, seconds: float, lyrics: str, fixed_tempo: bool, chance: random.Random) -> Form:
    """The form that fills `seconds`; the tempo is bent a little so that it ends with a bar, unless it is fixed."""
    count = max(1, round(seconds * style.bpm / 60 / style.beats))
    bpm = style.bpm
    if not fixed_tempo:
        exact = count * style.beats * 60 / seconds
        bpm = min(bpm * (1 + _MOST_BENT), max(bpm * (1 - _MOST_BENT), exact))
    sections = tuple(_sections(count, lyrics_sections(lyrics)))
    return Form(bpm, sections, tuple(_bars(sections, style, chance)))


def lyrics_sections(lyrics: str) -> tuple[Section, ...]:
    """The sections that lyrics mark, each as many bars long as it has lines (0 for a mark without any). A stanza that
    follows no mark is a verse."""
    found: list[tuple[str, int]] = []
    marked, apart = False, True
    for line in lyrics.splitlines():
        if kind := _marked_kind(line):
            found.append((kind, 0))
            marked, apart = True, False
        elif not line.strip():
            apart = not marked
        else:
            if apart:
                found.append(("verse", 0))
            apart = False
            found[-1] = (found[-1][0], found[-1][1] + 1)
    return tuple(Section(kind, lines) for kind, lines in found)


def _marked_kind(line: str) -> str | None:
    """The kind of section that a line marks, None for a line of lyrics. In round brackets, where backing voices are
    written too, only a word that names a section counts; in square ones any other word begins a verse."""
    mark = _MARK.fullmatch(line.strip())
    if mark is None:
        return None
    named = next((_KINDS[word] for word in _WORDS.findall(mark[2].lower()) if word in _KINDS), None)
    return named or ("verse" if mark[1] == "[" else None)


def _sections(count: int, asked: Sequence[Section]) -> Sequence[Section]:
    return _as_asked(count, asked[:count]) if asked else _usual(count)


def _as_asked(count: int, asked: Sequence[Section]) -> Sequence[Section]:
    """The asked sections stretched or squeezed to `count` bars, each at least one, in whole pairs where that goes."""
    weights = [max(section.bars, 2 if section.kind in ("intro", "outro") else 4) for section in asked]
    pair = 2 if count >= 4 * len(asked) else 1
    units = count // pair
    bars = [max(1, units * weight // sum(weights)) for weight in weights]
    while sum(bars) > units:
        bars[bars.index(max(bars))] -= 1
    while sum(bars) < units:
        bars[max(range(len(bars)), key=lambda at: weights[at] / bars[at])] += 1
    lengths = [unit * pair for unit in bars]
    lengths[-1] += count - sum(lengths)
    return [Section(section.kind, length) for section, length in zip(asked, lengths, strict=True)]


def _usual(count: int) -> Sequence[Section]:
    """Intro, verses and choruses in turn, outro, for pieces that are long enough for them."""
    intro = 0 if count < 8 else 2 if count < 24 else 4
    outro = 0 if count < 6 else 2 if count < 20 else 4
    length = 4 if count < 28 else 8
    left = count - intro - outro
    sections = [Section("intro", intro)] if intro else []
    for kind in cycle(_USUAL):
        taken = left if left < length + length // 2 else length
        sections.append(Section(kind, taken))
        left -= taken
        if not left:
            break
    return [*sections, Section("outro", outro)] if outro else sections


def _bars(sections: Sequence[Section], style: Style, chance: random.Random) -> Iterator[Bar]:
    """Every bar of the sections; sections of one kind share a progression, so that what comes again is known again."""
    choices = progressions(style.progressions, style.mode)
    chosen: dict[str, tuple[int, ...]] = {kind: chance.choice(choices) for kind in _ENERGIES}
    total = sum(section.bars for section in sections)
    number = 0
    for section in sections:
        degrees = chosen[section.kind]
        for place in range(section.bars):
            closing = number == total - 1 and total >= _LEAST_TO_CLOSE
            degree = 0 if closing else degrees[place % len(degrees)]
            chord = chord_on(degree, style.tonic, style.mode, style.progressions, style.sevenths)
            energy = min(1.0, style.energy * _ENERGIES[section.kind])
            beat = float(number * style.beats)
            yield Bar(beat, section.kind, chord, energy, place, section.bars - 1 - place, closing)
            number += 1
