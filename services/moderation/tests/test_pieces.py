"""Texts cut into pieces."""

import pytest
from nexus_moderation.pieces import MOST_WORDS, pieces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One", ["One"]),
        ("One. Two!  Three? four", ["One.", "Two!", "Three?", "four"]),
        ("a line\nand  another\r\n\r\nthird", ["a line", "and another", "third"]),
        ("version 1.2 is out", ["version 1.2 is out"]),
        ("...", ["..."]),
        (" \n", []),
    ],
)
def test_sentences_and_lines(text: str, expected: list[str]) -> None:
    assert list(pieces(text)) == expected


def test_long_sentences_are_cut_and_no_word_is_lost() -> None:
    text = " ".join(str(number) for number in range(50))
    found = list(pieces(text))
    assert [len(piece.split()) for piece in found] == [MOST_WORDS, MOST_WORDS, 10]
    assert " ".join(found) == text
