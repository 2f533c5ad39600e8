"""How likely an image is pornographic, by Yahoo's open_nsfw network on onnxruntime; images are opened by Pillow."""

import io
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from PIL import Image

from nexus.contract.errors import INVALID_REQUEST, ApiError

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_PIXELS: Final = 50_000_000
# What Pillow's readers raise, by its own documentation, for files that are broken or cut.
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)
# How the network was shown images: scaled to 256, the middle 224 of it as a JPEG, blue first, less the usual mean.
_SCALED: Final = 256
_SEEN: Final = 224
_MEAN: Final = (104.0, 117.0, 123.0)
_PORNOGRAPHIC: Final = 1  # the column of the network's answer


def opened_image(body: bytes, param: str) -> Image.Image:
    """The image in RGB, of several frames the first. Raises ApiError (400) that names `param`."""
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:  # looked at before a pixel is decoded
                raise _refusal(param, f"the image has more than {_MOST_PIXELS // 1_000_000} megapixels")
            return image.convert("RGB")
    except Image.UnidentifiedImageError as error:
        known = ", ".join(name.lower() for name in _FORMATS)
        raise _refusal(param, f"the content is no image that can be read ({known})") from error
    except _BROKEN as error:
        raise _refusal(param, f"the image is broken or was cut off: {error}") from error


class ImageJudge:
    """The network in a file; several threads may ask. Raises what onnxruntime raises for a file that it cannot read."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are shared
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def score(self, image: Image.Image) -> float:
        """From 0 to 1. Takes some 30 milliseconds on one core."""
        likelihoods = self._session.run(None, {self._input: _prepared(image)[np.newaxis]})[0]
        return float(likelihoods[0][_PORNOGRAPHIC])


def _prepared(image: Image.Image) -> Any:
    scaled = image.resize((_SCALED, _SCALED), Image.Resampling.BILINEAR)
    edge = (_SCALED - _SEEN) // 2
    target = io.BytesIO()
    scaled.crop((edge, edge, edge + _SEEN, edge + _SEEN)).save(target, "JPEG")
    with Image.open(target) as seen:
        return np.asarray(seen, np.float32)[:, :, ::-1] - np.float32(_MEAN)


def _refusal(param: str, reason: str) -> ApiError:
    return ApiError(INVALID_REQUEST, f"{param}: {reason}", param=param)
