"""What words do: tempo, mode, instruments, drums, energy; all from the table, the seed choosing."""

from typing import Any

import pytest
from nexus_music import backing, drums, harmony, words
from nexus_music.compose import compose
from nexus_music.seam import Commission
from nexus_music.style import Style, choose_style


def style(prompt: str = "", *tags: str, seed: int = 1, **fields: Any) -> Style:
    return choose_style(Commission(prompt, tags, "", 30, seed, **fields))


def test_every_row_names_what_there_is() -> None:
    for _, traits in (((), words.BASE), *words.WORDS):
        assert set(traits.figure or ()) <= set(backing.FIGURES)
        assert traits.line in {None, *backing.LINES}
        assert traits.beat in {None, *drums.BEATS}
        assert set(traits.modes or ()) <= set(harmony.SCALES)
        assert traits.progressions in {None, *harmony.PROGRESSIONS}
        assert {*traits.silent, *traits.plays} <= {"lead", "chords", "bass", "pad", "drums"}


def test_no_word_stands_in_two_rows() -> None:
    every = [word for row, _ in words.WORDS for word in row]
    assert sorted(every) == sorted(set(every))


@pytest.mark.parametrize("row", words.WORDS, ids=lambda row: row[0][0])
def test_every_row_composes(row: tuple[tuple[str, ...], words.Traits]) -> None:
    for seed in range(3):
        score = compose(Commission(row[0][0], (), "", 20, seed))
        assert len(score.notes) > 10
        assert all(0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 for note in score.notes)
        assert all(note.beats > 0 for note in score.notes)


def test_moods_change_tempo_mode_and_energy() -> None:
    for seed in range(5):
        assert style("sad", seed=seed).bpm < style("", seed=seed).bpm < style("fast", seed=seed).bpm
        assert style("sad", seed=seed).mode == "minor"
        assert style("happy", seed=seed).mode == "major"
        assert style("calm", seed=seed).energy < style("energetic", seed=seed).energy


def test_genres_change_metre_swing_and_drums() -> None:
    assert style("a waltz").beats == 3
    assert style("Jazz!").swing > 0.6
    assert style("techno").beat == "dance"
    assert style("classical").silent == {"drums"}
    assert style("classical with drums").silent == set()
    assert 120 <= style("TECHNO").bpm <= 140


def test_instruments_and_tags() -> None:
    assert style("", "violin").programs["lead"] == words.VIOLIN
    assert style("piano and violin").programs["lead"] == words.VIOLIN
    assert style("piano and violin").programs["chords"] == words.PIANO
    assert style("", "jazz", "no drums").silent == {"pad", "drums"}
    assert style("rock without guitar").programs["chords"] in (words.OVERDRIVE, words.DISTORTION)
    assert style("lo-fi, hip-hop").beat == "hiphop"


def test_what_is_asked_for_goes_over_what_words_say() -> None:
    chosen = style("slow sad techno", bpm=97.0, key="Eb major")
    assert (chosen.bpm, chosen.tonic, chosen.mode) == (97, 3, "major")


def test_the_seed_chooses() -> None:
    assert style("jazz", seed=4) == style("jazz", seed=4)
    assert len({(style("jazz", seed=seed).bpm, style("jazz", seed=seed).tonic) for seed in range(6)}) == 6
    assert style("blue", seed=4) != style("green", seed=4)  # words that no row knows still make a difference
