"""The rerank service's engine: documents scored by the engine that each model's manifest entry names, best first."""

from collections.abc import Mapping
from typing import Any, Final

from nexus_rerank.engines import load_reranker
from nexus_rerank.seam import QueryTooLongError, Reranker, Score

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.rerank import RerankRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.loaded import Loaded

_MOST_THREADS: Final = 4


class RerankService(Engine):
    """Each model of the manifest is one reranker of `nexus_rerank.engines`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._rerankers = Loaded[Reranker]()

    def load(self, model: Model) -> None:
        """Read network and tokenizer into memory. Raises what `load_reranker` raises."""
        threads = int(self.config["NEXUS_RERANK_THREADS"]) or spare_cores(_MOST_THREADS)
        self._rerankers[model.id] = load_reranker(model, threads)

    def unload(self, model: Model) -> None:
        """Let the model go; calls that still run keep it until they end."""
        self._rerankers.pop(model.id, None)

    def rerank(self, request: RerankRequest, call: Call) -> dict[str, Any]:
        """The documents by how well they fit the query, and what it cost in tokens."""
        reranker = self._rerankers.of(call)
        if not request.query.strip():
            raise ApiError(INVALID_REQUEST, "the query is blank", param="query")
        try:
            asked = reranker.query_tokens(request.query)
        except QueryTooLongError as error:
            raise ApiError(INVALID_REQUEST, str(error), param="query", code="context_length_exceeded") from error
        scores = _scores(reranker, request, call)
        best_first = sorted(range(len(scores)), key=lambda index: -scores[index].rank)
        tokens = asked + sum(score.tokens for score in scores)
        return {
            "id": f"rerank-{call.request_id}",
            "object": "list",
            "model": call.model.id,
            "results": [_result(request, index, scores[index]) for index in best_first[: request.top_n]],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }


def _scores(reranker: Reranker, request: RerankRequest, call: Call) -> list[Score]:
    texts = request.texts
    scores: list[Score] = []
    for score in reranker.scores(request.query, texts, call.go_on):
        scores.append(score)
        call.report(len(scores) / len(texts), f"{len(scores)} of {len(texts)} documents read")
    return scores


def _result(request: RerankRequest, index: int, score: Score) -> dict[str, Any]:
    result: dict[str, Any] = {"index": index, "relevance_score": score.relevance}
    if request.return_documents:
        result["document"] = {"text": request.texts[index]}
    return result
