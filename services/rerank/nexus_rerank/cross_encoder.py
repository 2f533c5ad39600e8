"""A cross-encoder: the network reads query and document together and says in one number how well they fit."""

import math
from collections.abc import Callable, Iterator, Sequence

from nexus_rerank.network import Network
from nexus_rerank.seam import Score
from nexus_rerank.tokens import Tokens


class CrossEncoder:
    """A network that gives one logit for a pair of texts; its logistic function is the relevance."""

    def __init__(self, network: Network, tokens: Tokens, longest: int) -> None:
        """Raises ValueError for a network that gives anything but one number."""
        self._network = network
        self._tokens = tokens
        self._longest_query = longest // 2
        given = network.read(next(tokens.pairs("a", "b"))).size
        if given != 1:
            raise ValueError(f"the network gives {given} numbers for a pair of texts, not one: it is no cross-encoder")

    def query_tokens(self, query: str) -> int:
        return len(self._tokens.query(query, self._longest_query).ids)

    def scores(self, query: str, documents: Sequence[str], before_each: Callable[[], None]) -> Iterator[Score]:
        asked = self.query_tokens(query)
        for document in documents:
            best, count = -math.inf, 0
            for chunk in self._tokens.pairs(query, document):
                before_each()
                best = max(best, float(self._network.read(chunk).item()))
                count += len(chunk.ids) - asked
            yield Score(_logistic(best), best, count)


def _logistic(logit: float) -> float:
    """1 / (1 + e^-x), written so that no number overflows."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))
