"""Keys as clients write them, chords on degrees, and where pitches lie."""

import pytest
from nexus_music.harmony import PROGRESSIONS, chord_on, nearest, progressions, read_key, voiced


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("C", (0, None)),
        ("a minor", (9, "minor")),
        ("Am", (9, "minor")),
        ("F#", (6, None)),
        ("F sharp minor", (6, "minor")),
        ("Bb major", (10, "major")),
        ("bb", (10, None)),
        ("Bm", (11, "minor")),
        ("E-flat major", (3, "major")),
        ("Cb", (11, None)),
        ("d dorian", (2, "dorian")),
    ],
)
def test_keys(text: str, read: tuple[int, str | None]) -> None:
    assert read_key(text) == read


@pytest.mark.parametrize("text", ["", "H", "C##", "C fast", "12", "🎵"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="is not a key"):
        read_key(text)


def test_chords() -> None:
    assert chord_on(0, 0, "major", "pop", False).tones == (0, 4, 7)
    assert chord_on(4, 9, "minor", "pop", False).tones == (4, 8, 11)  # E major in A minor: the leading tone
    assert chord_on(4, 9, "minor", "dance", False).tones == (4, 7, 11)
    assert chord_on(1, 0, "major", "jazz", True).tones == (2, 5, 9, 0)
    assert chord_on(3, 0, "mixolydian", "blues", True).tones == (5, 9, 0, 3)


@pytest.mark.parametrize("family", PROGRESSIONS)
@pytest.mark.parametrize("mode", ["major", "minor", "dorian", "mixolydian", "phrygian"])
def test_chords_lie_in_their_scales(family: str, mode: str) -> None:
    for degrees in progressions(family, mode):
        for degree in degrees:
            chord = chord_on(degree, 5, mode, family, True)
            assert set(chord.tones) <= set(chord.scale)
            assert len(set(chord.tones)) == 4


def test_pitches() -> None:
    assert [nearest(tone, 60) for tone in (0, 5, 6, 7, 11)] == [60, 65, 54, 55, 59]
    assert voiced((7, 11, 2), 60) == (55, 59, 62)
