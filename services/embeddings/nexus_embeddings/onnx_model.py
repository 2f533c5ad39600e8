"""One embedding model on onnxruntime with its tokenizer, read from files."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from nexus.sdk.onnx import open_session
from nexus.sdk.packages import part_of_model
from nexus_embeddings.vectors import Vector, mean_pooled, normalised


class Options(BaseModel):
    """A manifest entry's `[options]`: where the tokenizer's file is.

    `tokenizer` is a path beside the model's file, or, with `tokenizer_package`, inside that installed package.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokenizer: Annotated[str, Field(min_length=1)] = "tokenizer.json"
    tokenizer_package: str | None = None


def tokenizer_path(model: Path, options: Mapping[str, Any]) -> Path:
    """The tokenizer's file of the model at `model`. Raises ValidationError for bad options, FileNotFoundError."""
    wanted = Options.model_validate(dict(options))
    return part_of_model("tokenizer", wanted.tokenizer, model.parent, wanted.tokenizer_package)


class Vocabulary:
    """The model's tokenizer, without the padding and truncation that its file may ask for."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.size: int = self._tokenizer.get_vocab_size()
        self._before, self._after = _special_tokens(self._tokenizer)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, special tokens included."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def surround(self, ids: Sequence[int]) -> list[int]:
        """Bare ids with the special tokens that a text would have around it."""
        return [*self._before, *ids, *self._after]


class OnnxModel:
    """The network: token ids in, one vector at length 1 out. Several threads may call; they take turns text by text,
    which costs nothing (one text uses all threads) and keeps the memory that of one text."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(path, threads)
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        self._turn = threading.Lock()
        self.dimensions: int = self._session.get_outputs()[0].shape[-1]

    def embed(self, ids: Sequence[int]) -> Vector:
        """The vector of one text. One at a time: on a CPU a batch is no faster, and padding costs memory."""
        row = np.asarray([ids], dtype=np.int64)
        feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        with self._turn:
            hidden = self._session.run(None, {name: feeds[name] for name in feeds.keys() & self._inputs})[0]
        return normalised(mean_pooled(hidden[0]))


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids before and after a text, found by looking at one."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]
