"""Texts cut into chunks of tokens that a model can read. The one seam of the package `tokenizers`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizers import Encoding, Tokenizer

from nexus_rerank.seam import QueryTooLongError

_OVERLAP: Final = 16  # one part in so many of a chunk is in the one before it too: few phrases are cut in two


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one pass through a network reads: the tokens, and for each whether it is of the first text (0) or the
    second (1)."""

    ids: list[int]
    types: list[int]


class Tokens:
    """One model's tokenizer; chunks are at most `longest` tokens long, special ones included."""

    def __init__(self, path: Path, longest: int) -> None:
        """Raises an Exception of the library for a file that is no tokenizer."""
        self._longest = longest
        self._whole = Tokenizer.from_file(str(path))
        self._whole.no_padding()
        self._whole.no_truncation()
        self._texts = self._cutting("longest_first", longest)
        self._pairs = self._cutting("only_second", longest)

    def query(self, text: str, most: int) -> Chunk:
        """A query, whole. Raises QueryTooLongError when it has more than `most` tokens."""
        chunk = _chunk(self._whole.encode(text))
        if len(chunk.ids) > most:
            raise QueryTooLongError(f"the query has {len(chunk.ids)} tokens; the model reads at most {most}")
        return chunk

    def chunks(self, text: str) -> Iterator[Chunk]:
        """A text alone."""
        encoding = self._texts.encode(text)
        yield from map(_chunk, (encoding, *encoding.overflowing))

    def pairs(self, query: str, text: str) -> Iterator[Chunk]:
        """A text, each of its chunks behind the whole query. The query has to leave room, as `query` makes sure of."""
        encoding = self._pairs.encode(query, text)
        yield from map(_chunk, (encoding, *encoding.overflowing))

    def _cutting(self, strategy: str, longest: int) -> Tokenizer:
        cutting = Tokenizer.from_str(self._whole.to_str())
        cutting.enable_truncation(longest, stride=longest // _OVERLAP, strategy=strategy)
        return cutting


def _chunk(encoding: Encoding) -> Chunk:
    return Chunk(encoding.ids, encoding.type_ids)
