"""Pictures that come and go: uploads brought within bounds, masks, and pictures written as files."""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.media import pictures

SMALLEST: Final = 64
LARGEST: Final = 2048
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was given: `image` at most LARGEST long, with alpha where it had some; `size` as it came."""

    image: Image.Image
    size: tuple[int, int]

    def opaque(self) -> Image.Image:
        """The picture in RGB, its transparent parts white."""
        return pictures.opaque(self.image)


def read_picture(body: bytes, param: str) -> Picture:
    """A picture of a PNG, JPEG, WebP or GIF file (its first frame), turned as its camera said.

    Raises ApiError (400) that names `param`.
    """
    upright = pictures.read_picture(body, param, _FORMATS)
    size = upright.size
    if max(size) > LARGEST:
        upright.thumbnail((LARGEST, LARGEST))
    return Picture(upright, size)


def read_mask(body: bytes, base: Picture, param: str) -> Image.Image:
    """Where `base` may change: white where the mask is transparent. Raises ApiError (400) that names `param`."""
    mask = read_picture(body, param)
    if mask.size != base.size:
        wanted, came = (f"{width}x{height}" for width, height in (base.size, mask.size))
        raise ApiError(INVALID_REQUEST, f"{param}: is {came}, not the {wanted} of its image", param=param)
    if mask.image.mode != "RGBA":
        raise ApiError(INVALID_REQUEST, f"{param}: has no transparent parts, which tell what may change", param=param)
    return ImageOps.invert(mask.image.getchannel("A"))


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of the image in the size's shape, brought to that size; itself where it has it."""
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def natural_size(image: Image.Image) -> tuple[int, int]:
    """The image's own size, brought within the bounds of what is painted."""
    scale = min(1.0, LARGEST / max(image.size))
    scale = max(scale, SMALLEST / min(image.size))
    return tuple(min(LARGEST, max(SMALLEST, round(length * scale))) for length in image.size)  # type: ignore[return-value]


def written(image: Image.Image, file_format: str, compression: int | None) -> bytes:
    """The image as a `png`, `jpeg` or `webp` file; `compression` is 0 (smallest) to 100 (best), not used for PNG."""
    target = io.BytesIO()
    if file_format == "png":
        image.save(target, "PNG", compress_level=4)
    else:
        quality = _QUALITY if compression is None else max(1, compression)
        image.save(target, file_format.upper(), quality=quality)
    return target.getvalue()
