"""The form: bars that fill the time, sections from lyrics, the tonic at the end."""

import random
import time

import pytest
from nexus_music.form import Form, Section, lyrics_sections, shape
from nexus_music.seam import Commission
from nexus_music.style import choose_style

SONG = """[Intro]

[Verse 1]
One line
Two lines

still the same verse
[Chorus]
Sing it
Loud
(Bridge)
Hm
[Chorus]
Sing it
[Outro]
"""


def form(seconds: float, lyrics: str = "", bpm: float | None = None, prompt: str = "pop") -> Form:
    commission = Commission(prompt, (), lyrics, seconds, 1, bpm)
    return shape(choose_style(commission), seconds, lyrics, bpm is not None, random.Random(1))


def test_the_sections_of_lyrics() -> None:
    assert lyrics_sections(SONG) == (
        Section("intro", 0),
        Section("verse", 3),
        Section("chorus", 2),
        Section("bridge", 1),
        Section("chorus", 1),
        Section("outro", 0),
    )
    assert lyrics_sections("a\nb\n\nc") == (Section("verse", 2), Section("verse", 1))
    assert lyrics_sections(" \n\n") == ()


def test_marks_and_what_only_looks_like_one() -> None:
    lyrics = "[Pre-Chorus]\na\n(ooh yeah)\n[Guitar Solo]\n[Sophie]:\nb"
    assert lyrics_sections(lyrics) == (Section("prechorus", 2), Section("bridge", 0), Section("verse", 1))


def test_long_lyrics_are_read_quickly() -> None:
    began = time.process_time()
    lyrics_sections("[a" + " " * 32000)
    lyrics_sections("[" * 32000)
    lyrics_sections("\n \n" * 10000)
    assert time.process_time() - began < 0.5


def test_lyrics_shape_the_form() -> None:
    kinds = [section.kind for section in form(60, SONG).sections]
    assert kinds == ["intro", "verse", "chorus", "bridge", "chorus", "outro"]


@pytest.mark.parametrize("lyrics", ["", SONG, "one line", "[Chorus]\n" * 200])
@pytest.mark.parametrize("seconds", [1, 2.5, 7, 19, 30, 61, 300])
def test_sections_and_bars_agree(seconds: float, lyrics: str) -> None:
    shaped = form(seconds, lyrics)
    assert sum(section.bars for section in shaped.sections) == len(shaped.bars)
    assert all(section.bars >= 1 for section in shaped.sections)
    assert [bar.beat for bar in shaped.bars] == [4 * number for number in range(len(shaped.bars))]
    if seconds >= 7:
        assert len(shaped.bars) * 4 * 60 / shaped.bpm == pytest.approx(seconds)
        assert shaped.bars[-1].closing
        assert not any(bar.closing for bar in shaped.bars[:-1])


def test_a_usual_song() -> None:
    kinds = [section.kind for section in form(120).sections]
    assert (kinds[0], kinds[-1]) == ("intro", "outro")
    assert {"verse", "chorus"} <= set(kinds)


def test_an_asked_tempo_is_not_bent() -> None:
    assert form(31, bpm=97).bpm == 97


def test_what_comes_again_has_the_same_chords() -> None:
    shaped = form(120)
    chords = [bar.chord for bar in shaped.bars if bar.section == "chorus" and bar.place == 1]
    assert len(chords) > 1
    assert len(set(chords)) == 1
