"""Pictures that clients send, opened with care: Pillow's seam for what is not trusted.

A service that uses it lists `pillow` among its requirements.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Final, Self

from PIL import Image, ImageOps, UnidentifiedImageError

from nexus.contract.errors import INVALID_REQUEST, ApiError

MOST_PIXELS: Final = 50_000_000
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_BYTE_OF_TWO: Final = 1 / 257  # 255 / 65535
# What Pillow's readers raise, by format and by damage, for files that are broken or cut.
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class PictureFile:
    """A file in memory, each frame of which is a picture."""

    def __init__(
        self,
        body: bytes,
        param: str,
        formats: Sequence[str] = FORMATS,
        most_pixels: int = MOST_PIXELS,
        unlike: str = "no image",
    ) -> None:
        """Raises ApiError (400) that names `param` where the bytes are no picture of the formats (Pillow's names), are
        broken, or are too large. `unlike` is how that calls them which are nothing known."""
        self._param = param
        self._most_pixels = most_pixels
        if not body:
            raise self._refusal("the file is empty")
        try:
            self._image = Image.open(io.BytesIO(body), formats=tuple(formats))
        except _BOMBS as error:
            raise self._too_large("very many") from error
        except UnidentifiedImageError as error:
            known = ", ".join(name.lower() for name in formats)
            raise self._refusal(f"the content is {unlike} that can be read ({known})") from error
        except _BROKEN as error:
            raise self._broken(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._image.close()

    @property
    def format(self) -> str:
        """Pillow's name of the format."""
        return self._image.format or ""

    @property
    def count(self) -> int:
        """How many frames there are. Raises ApiError (400) where that cannot be read."""
        try:
            return getattr(self._image, "n_frames", 1)
        except _BROKEN as error:
            raise self._broken(error) from error

    def picture(self, index: int = 0) -> Image.Image:
        """A frame, turned as its camera said: in RGB, or in RGBA where parts of it are transparent.

        `info` has what the file says of it, such as its `dpi`. Raises ApiError (400) that names the parameter.
        """
        try:
            self._image.seek(index)
            width, height = self._image.size
            if width * height > self._most_pixels:  # looked at before a pixel is decoded
                raise self._too_large(f"{width}x{height}")
            return _plain(ImageOps.exif_transpose(self._image))
        except _BOMBS as error:
            raise self._too_large("very many") from error
        except _BROKEN as error:
            raise self._broken(error) from error

    def _too_large(self, size: str) -> ApiError:
        most = self._most_pixels // 1_000_000
        return self._refusal(f"the image has {size} pixels; at most {most} megapixels are read")

    def _broken(self, error: Exception) -> ApiError:
        return self._refusal(f"the image is broken or was cut off: {error}")

    def _refusal(self, reason: str) -> ApiError:
        return ApiError(INVALID_REQUEST, f"{self._param}: {reason}", param=self._param)


def read_picture(
    body: bytes, param: str, formats: Sequence[str] = FORMATS, most_pixels: int = MOST_PIXELS
) -> Image.Image:
    """The picture in a file, of several frames the first; else as `PictureFile` has it."""
    with PictureFile(body, param, formats, most_pixels) as file:
        return file.picture()


def opaque(picture: Image.Image) -> Image.Image:
    """The picture in RGB, its transparent parts on white."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # two bytes a pixel, which Pillow would cut off at 255
        image = image.convert("I").point(lambda value: value * _BYTE_OF_TWO + 0.5).convert("L")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)
