"""The engines that a manifest entry can name under `[options] engine`, in one table, and how they are loaded."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from nexus.sdk.engine import Model
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
    tokens = Tokens(_tokenizer_file(file.parent, wanted), longest)
    return ENGINES[wanted.engine](Network(file, threads), tokens, longest)


def _tokenizer_file(folder: Path, wanted: Options) -> Path:
    if wanted.tokenizer_package is not None:
        spec = importlib.util.find_spec(wanted.tokenizer_package)  # found, not imported: its code is not wanted
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(f"the package {wanted.tokenizer_package} is not installed")
        folder = Path(spec.submodule_search_locations[0])
    path = folder / wanted.tokenizer
    if not path.is_file():
        raise FileNotFoundError(f"no tokenizer at {path}")
    return path
