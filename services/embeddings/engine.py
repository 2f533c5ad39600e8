"""The embeddings service's engine: ONNX models behind OpenAI's embeddings endpoint."""

from dataclasses import dataclass
from typing import Any

from nexus_embeddings.onnx_model import OnnxModel, Vocabulary, tokenizer_path
from nexus_embeddings.texts import token_lists
from nexus_embeddings.vectors import Vector, shortened, written

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.embeddings import EmbeddingsRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.loaded import Loaded

_MOST_THREADS = 4
_DEFAULT_LONGEST = 512


@dataclass(frozen=True, slots=True)
class _Loaded:
    network: OnnxModel
    vocabulary: Vocabulary
    longest: int


class EmbeddingsEngine(Engine):
    """Each model of the manifest is one network with its tokenizer."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._models = Loaded[_Loaded]()

    def load(self, model: Model) -> None:
        """Read network and tokenizer into memory. Raises RuntimeError or FileNotFoundError when it cannot."""
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no file")
        threads = int(self.config["NEXUS_EMBEDDINGS_THREADS"]) or spare_cores(_MOST_THREADS)
        vocabulary = Vocabulary(tokenizer_path(model.path, model.options))
        longest = model.context_length or _DEFAULT_LONGEST
        self._models[model.id] = _Loaded(OnnxModel(model.path, threads), vocabulary, longest)

    def unload(self, model: Model) -> None:
        """Let the model go; calls that still run keep it until they end."""
        self._models.pop(model.id, None)

    def embeddings(self, request: EmbeddingsRequest, call: Call) -> dict[str, Any]:
        """The vectors of the request's texts, in their order, and what they cost in tokens."""
        loaded = self._models.of(call)
        whole = loaded.network.dimensions
        if request.dimensions is not None and request.dimensions > whole:
            raise ApiError(INVALID_REQUEST, f"the model has {whole} dimensions", param="dimensions")
        lists = token_lists(request, loaded.vocabulary, loaded.longest)
        encoding = request.encoding_format or "float"
        data = [
            {"object": "embedding", "index": index, "embedding": written(vector, encoding)}
            for index, vector in enumerate(_vectors(loaded.network, lists, request.dimensions, call))
        ]
        tokens = sum(len(ids) for ids in lists)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": call.model.id, "usage": usage}


def _vectors(network: OnnxModel, lists: list[list[int]], dimensions: int | None, call: Call) -> list[Vector]:
    vectors = []
    for ids in lists:
        call.go_on()
        vectors.append(shortened(network.embed(ids), dimensions))
    return vectors
