"""The engines that a manifest entry can name under `[options] engine`, in one table, and how they are loaded."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from nexus.sdk.engine import Model
from nexus.sdk.packages import part_of_model
from nexus_rerank.bi_encoder import BiEncoder
from nexus_rerank.cross_encoder import CrossEncoder
from nexus_rerank.network import Network
from nexus_rerank.seam import Reranker
from nexus_rerank.tokens import Tokens

ENGINES: Final[Mapping[str, Callable[[Network, Tokens, int], Reranker]]] = {
    "bi-encoder": BiEncoder,
    "cross-encoder": CrossEncoder,
}
_NETWORK: Final = "model.onnx"
_USUAL_CONTEXT: Final = 512
_LEAST_CONTEXT: Final = 16


class Options(BaseModel):
    """A manifest entry's `[options]`. `tokenizer` is a path beside the model's file, or, with `tokenizer_package`,
    inside that installed package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Annotated[str, Field(min_length=1)] = "cross-encoder"
    tokenizer: Annotated[str, Field(min_length=1)] = "tokenizer.json"
    tokenizer_package: str | None = None


def load_reranker(model: Model, threads: int) -> Reranker:
    """The reranker of a manifest entry, whose source is an ONNX file or a folder with `model.onnx`.

    Raises ValueError (ValidationError included), FileNotFoundError, and what onnxruntime and tokenizers raise.
    """
    wanted = Options.model_validate(dict(model.options))
    if wanted.engine not in ENGINES:
        raise ValueError(f"{model.id}: {wanted.engine!r} is none of the engines {', '.join(ENGINES)}")
    if model.path is None:
        raise ValueError(f"the manifest entry of {model.id} gives no file")
    longest = model.context_length or _USUAL_CONTEXT
    if longest < _LEAST_CONTEXT:
        raise ValueError(f"{model.id}: a context of {longest} tokens holds no query and document")
    file = model.path / _NETWORK if model.path.is_dir() else model.path
    tokenizer = part_of_model("tokenizer", wanted.tokenizer, file.parent, wanted.tokenizer_package)
    tokens = Tokens(tokenizer, longest)
    return ENGINES[wanted.engine](Network(file, threads), tokens, longest)
