"""Where speech is cut, so that its beginning can be heard while the rest is still to be computed.

The cuts are made in phonemes, after whole sentences were read: the reading of numbers and abbreviations, and where a
sentence ends, is not disturbed by them, and no language's words need to be known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_FIRST: Final = 45  # phonemes, spaces and stress marks included: about seven English words, under three seconds
_LATER: Final = 100  # about sixteen words
_LEAST_FIRST: Final = 24
_LEAST_LATER: Final = 40
_SLACK: Final = 1.25  # so much over its limit a piece may be rather than leave a scrap behind
_CLAUSE_ENDS: Final = frozenset(",;:.!?—…、。")


@dataclass(frozen=True, slots=True)
class Piece:
    """Phonemes that are computed in one go. `runs_on`: the voice goes on after it without a pause."""

    phonemes: tuple[str, ...]
    runs_on: bool = False


def cut(sentences: Sequence[Sequence[str]], speed: float) -> tuple[Piece, ...]:
    """The pieces of a text's sentences, the first one short; empty where no sentence has anything that sounds.

    A piece ends at the end of its sentence or clause, else between two words. Slow speech is cut shorter, since the
    same phonemes take longer.
    """
    pieces: list[Piece] = []
    for sentence in sentences:
        rest = _stripped(sentence)
        while any(phoneme.isalpha() for phoneme in rest):
            end = _end(rest, _limit(speed, first=not pieces))
            piece, rest = _stripped(rest[:end]), _stripped(rest[end:])
            pieces.append(Piece(piece, bool(rest) and piece[-1] not in _CLAUSE_ENDS))
    return tuple(pieces)


def _limit(speed: float, *, first: bool) -> int:
    most, least = (_FIRST, _LEAST_FIRST) if first else (_LATER, _LEAST_LATER)
    return max(least, int(most * min(1.0, speed)))


def _end(phonemes: Sequence[str], limit: int) -> int:
    """Where the next piece ends; a clause or word of a third of the limit is long enough to stand alone."""
    if len(phonemes) <= limit * _SLACK:
        return len(phonemes)
    words = [at for at in range(limit // 3, limit + 1) if phonemes[at] == " "]
    clauses = [at for at in words if phonemes[at - 1] in _CLAUSE_ENDS]
    return next((ends[-1] for ends in (clauses, words) if ends), limit)


def _stripped(phonemes: Sequence[str]) -> tuple[str, ...]:
    """Without spaces at either end."""
    start, end = 0, len(phonemes)
    while start < end and phonemes[start] == " ":
        start += 1
    while start < end and phonemes[end - 1] == " ":
        end -= 1
    return tuple(phonemes[start:end])
