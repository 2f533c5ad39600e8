"""How a piece is to sound: the words of prompt and tags looked up in the table, the seed choosing where it may."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from nexus_music.harmony import read_key
from nexus_music.seam import Commission
from nexus_music.words import BASE, WORDS, Traits

ROLES: Final = ("lead", "chords", "bass", "pad", "drums")
_SLOWEST, _FASTEST = 46.0, 190.0
_CHOSEN: Final = ("lead", "chords", "bass", "pad", "figure")


@dataclass(frozen=True, slots=True)
class Style:
    """Everything about a piece that holds from its first bar to its last. `tonic` is a pitch class (C: 0)."""

    bpm: float
    tonic: int
    mode: str
    progressions: str
    sevenths: bool
    beats: int
    swing: float
    energy: float
    programs: dict[str, int]
    kit: int
    figure: str
    line: str
    beat: str
    silent: frozenset[str]


def choose_style(commission: Commission) -> Style:
    """The style of a commission: the same one for the same commission and seed."""
    chance = source_of_chance(commission, "style")
    traits = list(_traits(" ".join((commission.prompt, *commission.tags))))
    last = {name: value for row in traits for name, value in _given(row)}
    picked = {name: chance.choice(last[name]) for name in _CHOSEN}
    tempo = chance.uniform(*last["tempo"])
    for row in traits:
        tempo *= row.speed
    tonic, mode = chance.randrange(12), chance.choice(last["modes"])
    if commission.key is not None:
        tonic, named = read_key(commission.key)
        mode = named or mode
    return Style(
        bpm=commission.bpm or min(_FASTEST, max(_SLOWEST, tempo)),
        tonic=tonic,
        mode=mode,
        progressions=last["progressions"],
        sevenths=last["sevenths"],
        beats=last["beats"],
        swing=last["swing"],
        energy=min(1.0, max(0.1, last["energy"] + sum(row.lift for row in traits))),
        programs={role: picked[role] for role in ROLES if role in picked},
        kit=last["kit"],
        figure=picked["figure"],
        line=last["line"],
        beat=last["beat"],
        silent=_silent(traits),
    )


def source_of_chance(commission: Commission, part: str) -> random.Random:
    """Random numbers for one part of the piece: changing one part leaves what the others draw as it is."""
    words = " ".join((commission.prompt, *commission.tags)).lower().split()
    return random.Random(f"{commission.seed}|{' '.join(words)}|{part}")  # noqa: S311 - music, not secrets


def _traits(text: str) -> Iterator[Traits]:
    """The base, then every row of the table that a word of the text names, in the table's order."""
    plain = " ".join(re.findall(r"[\w/&]+", text.lower()))
    plain = re.sub(r"\b(?:no|without) (\w+)", r"no-\1", plain)  # so that what is not wanted is not found
    padded = f" {plain} "
    yield BASE
    for words, traits in WORDS:
        if any(f" {word} " in padded for word in words):
            yield traits


def _given(traits: Traits) -> Iterator[tuple[str, Any]]:
    for field in fields(traits):
        value = getattr(traits, field.name)
        if value is not None:
            yield field.name, value


def _silent(traits: list[Traits]) -> frozenset[str]:
    silent: frozenset[str] = frozenset()
    for row in traits:
        silent = (silent | set(row.silent)) - set(row.plays)
    return silent
