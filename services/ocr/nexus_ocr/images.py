"""Image files as documents, by Pillow: each frame of a TIFF is a page, of other formats only the first is read."""

import io
import struct
from typing import Any, Final

import numpy as np
from PIL import Image, ImageOps

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus_ocr.picture import Picture

FORMATS: Final = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP")
_UNKNOWN_DPI: Final = 72
_MOST_DPI: Final = 10_000
# What Pillow's readers raise, by its own documentation, for files that are broken or cut.
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


class ImagePages:
    """An image file in memory. Raises ApiError (400, `param`) where it is none, is broken, or is too large."""

    def __init__(self, body: bytes, param: str, most_pixels: int) -> None:
        self._param = param
        self._most_pixels = most_pixels
        try:
            self._image = Image.open(io.BytesIO(body), formats=FORMATS)
            self.count: int = getattr(self._image, "n_frames", 1) if self._image.format == "TIFF" else 1
        except Image.UnidentifiedImageError as error:
            known = ", ".join(name.lower() for name in FORMATS)
            raise self._refusal(f"the content is neither a PDF nor an image that can be read ({known})") from error
        except _BROKEN as error:
            raise self._refusal(f"the image cannot be read: {error}") from error

    def picture(self, index: int) -> Picture:
        """The page's picture, the right way up, transparency on white."""
        try:
            self._image.seek(index)
            width, height = self._image.size
            if width * height > self._most_pixels:  # looked at before a pixel is decoded
                megapixels = self._most_pixels // 1_000_000
                raise self._refusal(f"the image has {width}x{height} pixels; at most {megapixels} megapixels are read")
            dpi = _dpi(self._image.info.get("dpi"))
            return Picture(_blue_first(ImageOps.exif_transpose(self._image)), dpi)
        except _BROKEN as error:
            raise self._refusal(f"the image is broken or was cut off: {error}") from error

    def close(self) -> None:
        self._image.close()

    def _refusal(self, reason: str) -> ApiError:
        return ApiError(INVALID_REQUEST, f"{self._param}: {reason}", param=self._param)


def _blue_first(image: Image.Image) -> Any:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _dpi(given: Any) -> int:
    """The resolution as files state it: a pair of numbers, which may be missing, zero or absurd."""
    try:
        dpi = round(float(given[0]))
    except (TypeError, ValueError, IndexError, OverflowError, ZeroDivisionError):
        return _UNKNOWN_DPI
    return dpi if 0 < dpi <= _MOST_DPI else _UNKNOWN_DPI
