"""Image files as documents: each frame of a TIFF is a page, of other formats only the first is read."""

from typing import Any, Final

import numpy as np

from nexus.sdk.media.page_picture import Picture
from nexus.sdk.media.pictures import PictureFile, opaque

_UNKNOWN_DPI: Final = 72
_MOST_DPI: Final = 10_000


class ImagePages:
    """An image file in memory. Raises ApiError (400, `param`) where it is none, is broken, or is too large."""

    def __init__(self, body: bytes, param: str, most_pixels: int) -> None:
        self._file = PictureFile(body, param, most_pixels=most_pixels, unlike="neither a PDF nor an image")
        self.count: int = self._file.count if self._file.format == "TIFF" else 1

    def picture(self, index: int) -> Picture:
        """The page's picture, the right way up, transparency on white."""
        image = self._file.picture(index)
        blue_first = np.asarray(opaque(image))[:, :, ::-1]
        return Picture(np.ascontiguousarray(blue_first), _dpi(image.info.get("dpi")))

    def close(self) -> None:
        self._file.close()


def _dpi(given: Any) -> int:
    """The resolution as files state it: a pair of numbers, which may be missing, zero or absurd."""
    try:
        dpi = round(float(given[0]))
    except (TypeError, ValueError, IndexError, OverflowError, ZeroDivisionError):
        return _UNKNOWN_DPI
    return dpi if 0 < dpi <= _MOST_DPI else _UNKNOWN_DPI
