"""What every reranker is asked: one score a document. The one seam of this service."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Score:
    """How well one document fits. `relevance` is 0 to 1; `rank` orders documents, also those whose relevance is equal;
    `tokens` is what it took to read it."""

    relevance: float
    rank: float
    tokens: int


class Reranker(Protocol):
    """One loaded model. Several threads may ask at once."""

    def query_tokens(self, query: str) -> int:
        """What reading the query alone costs. Raises QueryTooLongError."""
        ...

    def scores(self, query: str, documents: Sequence[str], before_each: Callable[[], None]) -> Iterator[Score]:
        """The scores of the documents, in their order. A document that is longer than the model reads at once is cut
        into chunks, the best of which counts. `before_each` is called before each pass through the network and may
        raise, which ends the work. Raises QueryTooLongError."""
        ...


class QueryTooLongError(ValueError):
    """The query leaves no room in the model's context; the message says how long both are."""
