"""Pictures as files: those that clients give, masks among them, and those that engines take and make."""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.sdk.media.pictures import opaque, read_picture

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture that was given: `image` in RGB, or in RGBA where it has transparent parts; `size` as it came."""

    image: Image.Image
    size: tuple[int, int]

    def opaque(self) -> Image.Image:
        """The picture in RGB, its transparent parts white."""
        return opaque(self.image)


def read_given(body: bytes, param: str, largest: int | None = None) -> GivenPicture:
    """A picture of a PNG, JPEG, WebP or GIF file (its first frame), turned as its camera said, and brought down to
    `largest` pixels where a side is longer. Raises ApiError (400) that names `param`."""
    image = read_picture(body, param, FORMATS)
    size = image.size
    if largest is not None and max(size) > largest:
        image.thumbnail((largest, largest))
    return GivenPicture(image, size)


def may_change(mask: GivenPicture, base: GivenPicture, param: str) -> Image.Image:
    """Where `base` may change: white where the mask is transparent. Raises ApiError (400) that names `param`."""
    if mask.size != base.size:
        wanted, came = (f"{width}x{height}" for width, height in (base.size, mask.size))
        raise ApiError(INVALID_REQUEST, f"{param}: is {came}, not the {wanted} of its image", param=param)
    if mask.image.mode != "RGBA":
        raise ApiError(INVALID_REQUEST, f"{param}: has no transparent parts, which tell what may change", param=param)
    return ImageOps.invert(mask.image.getchannel("A"))


def png(picture: Image.Image) -> bytes:
    """A PNG for an engine: quickly written, not small."""
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def from_engine(body: bytes) -> Image.Image:
    """A picture that an engine made, in RGB. Raises ApiError (502) for what is none."""
    try:
        return opaque(read_picture(body, "image", FORMATS))
    except ApiError as error:
        raise ApiError(UPSTREAM_ERROR, f"the engine's picture cannot be read: {error.message}") from error


def written(picture: Image.Image, file_format: str, compression: int | None) -> bytes:
    """The picture as a `png`, `jpeg` or `webp` file; `compression` is 0 (smallest) to 100 (best), not used for PNG."""
    target = io.BytesIO()
    if file_format == "png":
        picture.save(target, "PNG", compress_level=4)
    else:
        quality = _QUALITY if compression is None else max(1, compression)
        picture.save(target, file_format.upper(), quality=quality)
    return target.getvalue()
