"""How likely an image is pornographic, by Yahoo's open_nsfw network on onnxruntime."""

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from nexus.sdk.onnx import open_session

# How the network was shown images: scaled to 256, the middle 224 of it as a JPEG, blue first, less the usual mean.
_SCALED: Final = 256
_SEEN: Final = 224
_MEAN: Final = (104.0, 117.0, 123.0)
_PORNOGRAPHIC: Final = 1  # the column of the network's answer


class ImageJudge:
    """The network in a file; several threads may ask. Raises what onnxruntime raises for a file that it cannot read."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(path, threads)
        self._input = self._session.get_inputs()[0].name

    def score(self, image: Image.Image) -> float:
        """From 0 to 1. Takes some hundredths of a second on one core."""
        likelihoods = self._session.run(None, {self._input: _prepared(image)[np.newaxis]})[0]
        return float(likelihoods[0][_PORNOGRAPHIC])


def _prepared(image: Image.Image) -> Any:
    scaled = image.resize((_SCALED, _SCALED), Image.Resampling.BILINEAR)
    edge = (_SCALED - _SEEN) // 2
    target = io.BytesIO()
    scaled.crop((edge, edge, edge + _SEEN, edge + _SEEN)).save(target, "JPEG")
    with Image.open(target) as seen:
        return np.asarray(seen, np.float32)[:, :, ::-1] - np.float32(_MEAN)
