"""Pictures on their way to the engine and back: fitted to what it computes, masks, and files of the asked format."""

import base64
import io
from typing import Final

from PIL import Image, ImageOps

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.sdk.media import pictures

SMALLEST: Final = 64
LARGEST: Final = 2048
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_QUALITY: Final = 90


def read(body: bytes, param: str) -> Image.Image:
    """A picture that a client sent, in RGB or RGBA. Raises ApiError (400) that names `param`."""
    return pictures.read_picture(body, param, _FORMATS)


def may_change(mask: Image.Image, size: tuple[int, int], param: str) -> Image.Image:
    """Where a picture of that size may change: white where the mask is transparent. Raises ApiError (400)."""
    if mask.size != size:
        wanted, came = (f"{width}x{height}" for width, height in (size, mask.size))
        raise ApiError(INVALID_REQUEST, f"{param}: is {came}, not the {wanted} of its image", param=param)
    if mask.mode != "RGBA":
        raise ApiError(INVALID_REQUEST, f"{param}: has no transparent parts, which tell what may change", param=param)
    return ImageOps.invert(mask.getchannel("A"))


def natural_size(picture: Image.Image) -> tuple[int, int]:
    """The picture's own size, brought within the bounds of what is computed."""
    scale = max(min(1.0, LARGEST / max(picture.size)), SMALLEST / min(picture.size))
    width, height = (min(LARGEST, max(SMALLEST, round(length * scale))) for length in picture.size)
    return width, height


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of the picture in the size's shape, brought to that size; itself where it has it."""
    return picture if picture.size == size else ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def cut(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture that is a little larger than the size; one that is not is fitted."""
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    if left < 0 or top < 0 or left > 64 or top > 64:
        return fitted(picture, size)
    return picture.crop((left, top, left + size[0], top + size[1]))


def bordered(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """What `cut` undoes: the picture in the middle of the size, its edges gone on with; itself where it fits."""
    if picture.size == size:
        return picture
    left, top = (size[0] - picture.width) // 2, (size[1] - picture.height) // 2
    spread = picture.resize(size)
    spread.paste(picture, (left, top))
    return spread


def png(picture: Image.Image) -> bytes:
    """A PNG for the engine."""
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    return target.getvalue()


def inverted_png(change: Image.Image) -> bytes:
    """A mask for the engine, which is black where a picture may change; `change` is white there."""
    return png(ImageOps.invert(change))


def from_engine(body: bytes) -> Image.Image:
    """A picture that the engine made, in RGB. Raises ApiError (502) for what is none."""
    try:
        return pictures.opaque(pictures.read_picture(body, "image", _FORMATS))
    except ApiError as error:
        raise ApiError(UPSTREAM_ERROR, f"the engine's picture cannot be read: {error.message}") from error


def written(picture: Image.Image, file_format: str, compression: int | None) -> str:
    """The picture as a `png`, `jpeg` or `webp` file, in base64; `compression` is 0 to 100 (best), not used for PNG."""
    target = io.BytesIO()
    if file_format == "png":
        picture.save(target, "PNG", compress_level=4)
    else:
        quality = _QUALITY if compression is None else max(1, compression)
        picture.save(target, file_format.upper(), quality=quality)
    return base64.b64encode(target.getvalue()).decode("ascii")
