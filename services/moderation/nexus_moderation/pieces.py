"""A text in pieces of about a sentence: the model was trained on such, and one insult is lost to it in a long text."""

import re
from collections.abc import Iterator
from typing import Final

_SENTENCE_ENDS: Final = re.compile(r"(?<=[.!?…])\s+|[\r\n]+")
MOST_WORDS: Final = 20


def pieces(text: str) -> Iterator[str]:
    """The sentences of a text, those of more than MOST_WORDS words in several parts. At least one for a text that is
    not blank."""
    for sentence in _SENTENCE_ENDS.split(text):
        words = sentence.split()
        for start in range(0, len(words), MOST_WORDS):
            yield " ".join(words[start : start + MOST_WORDS])
