"""The arithmetic of vectors, and how they are written into an answer; nothing here knows a model."""

import base64
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def mean_pooled(hidden: NDArray[np.float32]) -> Vector:
    """The mean over the tokens of one text; `hidden` is tokens by dimensions."""
    mean: Vector = hidden.mean(axis=0, dtype=np.float32)
    return mean


def normalised(vector: Vector) -> Vector:
    """The vector at length 1 (L2); one of length 0 stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def shortened(vector: Vector, dimensions: int | None) -> Vector:
    """The first `dimensions` numbers at length 1 again; the whole vector for None."""
    return vector if dimensions is None else normalised(vector[:dimensions])


def written(vector: Vector, encoding: Literal["float", "base64"]) -> Any:
    """The vector as the answer carries it: a list of numbers, or base64 of little-endian 32-bit floats."""
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return vector.tolist()
