"""The 26 painting styles of the style network, and which of them a prompt names.

The network came without names for them: these say what its results look like, and are this project's.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

_ALIKE: Final = 0.84
_SHORTEST_GUESS: Final = 5


@dataclass(frozen=True, slots=True)
class Style:
    """One style: its place in the network, its name, and the words that ask for it: those that name a way of painting,
    and those that only hint at it, which other prompts use too."""

    index: int
    name: str
    words: frozenset[str]
    hints: frozenset[str]


def _row(index: int, name: str, words: str, hints: str = "") -> Style:
    return Style(index, name, frozenset(words.split()), frozenset(hints.split()))


STYLES: Final = (
    _row(0, "warm crayon", "crayon crayons", "warm sand beige"),
    _row(1, "ink brush", "ink brush brushed calligraphy", "yellow bold black"),
    _row(2, "charcoal", "charcoal graphite", "grey gray"),
    _row(3, "stained glass", "stained abstract", "glass neon"),
    _row(4, "crimson watercolour", "watercolour watercolor aquarelle", "crimson pink"),
    _row(5, "violet impressionist", "impressionist impressionism impressionistic", "violet purple"),
    _row(6, "midnight", "", "midnight night indigo navy"),
    _row(7, "blazing colours", "blazing", "sunset fire vivid"),
    _row(8, "coloured pencil", "pencil pencils sketch sketched drawing", "white magenta"),
    _row(9, "linocut", "linocut lino", "coral"),
    _row(10, "sepia", "sepia", "brown rust copper"),
    _row(11, "old engraving", "engraving engraved antique vintage parchment", "gold golden old"),
    _row(12, "soft pastel", "pastel pastels", "soft dreamy gentle"),
    _row(13, "fauvist green", "fauvist fauvism", "green wild"),
    _row(14, "pale wash", "wash", "pale teal cyan mist light"),
    _row(15, "cartoon", "cartoon comic comics anime manga", "outline outlined"),
    _row(16, "heavy strokes", "oil gogh strokes brushstrokes", "orange"),
    _row(17, "woven blocks", "cubist cubism woven weave geometric", "blocks"),
    _row(18, "carved relief", "carved carving", "stone clay olive relief"),
    _row(19, "swirling blue", "swirls swirling starry", "blue"),
    _row(20, "red noir", "noir", "red scarlet"),
    _row(21, "poster", "poster pop collage", "flat"),
    _row(22, "expressionist", "expressionist expressionism expressive"),
    _row(23, "twilight", "romantic romanticism", "twilight dusk evening dim"),
    _row(24, "woodblock print", "woodblock woodcut hokusai ukiyo", "japanese japan wave"),
    _row(25, "dark mosaic", "mosaic tesserae pointillist pointillism", "beads tiles dark"),
)
DEFAULT: Final = STYLES[16]
_NUMBERED: Final = re.compile(r"\bstyle\s*#?\s*(\d{1,2})\b")


def words_of(prompt: str) -> tuple[str, ...]:
    """The words of a prompt in lower case, in their order."""
    return tuple(re.findall(r"[^\W\d_]+", prompt.lower()))


def named_style(prompt: str, *, hints: bool = False) -> Style | None:
    """The style that a prompt asks for: by number (`style 19`), by the most of its words, or by a word spelled nearly
    so; with `hints` words that other prompts use too count as well, when no other does. None if it names none."""
    number = _NUMBERED.search(prompt.lower())
    if number and int(number[1]) < len(STYLES):
        return STYLES[int(number[1])]
    words = words_of(prompt)
    found = _most([(style, len(style.words & set(words))) for style in STYLES]) or _nearly(words)
    if found is None and hints:
        found = _most([(style, len(style.hints & set(words))) for style in STYLES])
    return found


def _most(scores: list[tuple[Style, int]]) -> Style | None:
    style, score = max(scores, key=lambda pair: pair[1])
    return style if score else None


def _nearly(words: tuple[str, ...]) -> Style | None:
    owners = {word: style for style in STYLES for word in style.words}
    for word in words:
        if len(word) >= _SHORTEST_GUESS and (near := get_close_matches(word, owners, n=1, cutoff=_ALIKE)):
            return owners[near[0]]
    return None
