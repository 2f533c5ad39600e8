"""The parts without a model: vectors, and where a tokenizer is looked for."""

import base64
import struct
from pathlib import Path

import numpy as np
import pytest
from nexus_embeddings.onnx_model import tokenizer_path
from nexus_embeddings.vectors import mean_pooled, normalised, shortened, written
from pydantic import ValidationError


def test_pooling_and_length() -> None:
    hidden = np.array([[3, 0], [3, 8]], np.float32)
    assert mean_pooled(hidden).tolist() == [3, 4]
    assert np.allclose(normalised(mean_pooled(hidden)), [0.6, 0.8])
    assert normalised(np.zeros(2, np.float32)).tolist() == [0, 0]


def test_shortening() -> None:
    vector = np.array([3, 4, 12], np.float32)
    assert shortened(vector, None) is vector
    assert np.allclose(shortened(vector, 2), [0.6, 0.8])


def test_writing() -> None:
    vector = np.array([1, -0.5], np.float32)
    assert written(vector, "float") == [1.0, -0.5]
    assert struct.unpack("<2f", base64.b64decode(written(vector, "base64"))) == (1.0, -0.5)


def test_a_tokenizer_beside_the_model_or_in_a_package(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no tokenizer"):
        tokenizer_path(tmp_path / "model.onnx", {})
    (tmp_path / "tokenizer.json").touch()
    assert tokenizer_path(tmp_path / "model.onnx", {}) == tmp_path / "tokenizer.json"
    with pytest.raises(FileNotFoundError, match="is not installed"):
        tokenizer_path(tmp_path / "model.onnx", {"tokenizer_package": "nexus_no_such_package"})
    with pytest.raises(ValidationError, match="tokeniser"):
        tokenizer_path(tmp_path / "model.onnx", {"tokeniser": "x"})
