"""A bi-encoder: query and document each become a vector, and the cosine between the two is the score.

It reads the two apart, so it knows less of how they belong together than a cross-encoder does.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nexus_rerank.network import Network
from nexus_rerank.seam import Score
from nexus_rerank.tokens import Chunk, Tokens


class BiEncoder:
    """A network that gives the tokens' states, whose mean is the text's vector."""

    def __init__(self, network: Network, tokens: Tokens, longest: int) -> None:
        """Raises ValueError for a network that does not give a state for each token."""
        self._network = network
        self._tokens = tokens
        self._longest = longest
        if network.read(tokens.query("a", longest)).ndim != 2:
            raise ValueError("the network gives no states of tokens: it is no bi-encoder")

    def query_tokens(self, query: str) -> int:
        return len(self._tokens.query(query, self._longest).ids)

    def scores(self, query: str, documents: Sequence[str], before_each: Callable[[], None]) -> Iterator[Score]:
        before_each()
        wanted = self._vector(self._tokens.query(query, self._longest))
        for document in documents:
            best, count = -1.0, 0
            for chunk in self._tokens.chunks(document):
                before_each()
                best = max(best, float(wanted @ self._vector(chunk)))
                count += len(chunk.ids)
            yield Score(min(1.0, max(0.0, best)), best, count)

    def _vector(self, chunk: Chunk) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = self._network.read(chunk).mean(axis=0, dtype=np.float32)
        length = float(np.linalg.norm(mean))
        return mean / np.float32(length) if length else mean
