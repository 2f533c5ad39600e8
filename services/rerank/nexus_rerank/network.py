"""One transformer network read from an ONNX file."""

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nexus.sdk.onnx import open_session
from nexus_rerank.tokens import Chunk


class Network:
    """Tokens in, the first output out. Several threads may call; they take turns, since one pass uses all threads."""

    def __init__(self, path: Path, threads: int) -> None:
        """Raises an Exception of the library for a file that is no network, ValueError for one of other inputs."""
        self._session = open_session(path, threads)
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        self._turn = threading.Lock()
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown:
            raise ValueError(f"{path.name} wants the inputs {', '.join(sorted(unknown))}, which no reranker has")

    def read(self, chunk: Chunk) -> NDArray[np.float32]:
        """The first output for one chunk, without the dimension of the batch."""
        ids = np.asarray([chunk.ids], np.int64)
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.asarray([chunk.types], np.int64),
        }
        with self._turn:
            output = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
        first: NDArray[np.float32] = output[0]
        return first
