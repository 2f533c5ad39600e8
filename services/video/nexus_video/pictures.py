"""Pictures: reading, fitting, moving over and mixing them, and writing small ones."""

import io
from typing import Final, Self

import numpy as np
from PIL import Image

from nexus.sdk.media import pictures
from nexus_video.film import Frame

Picture = Image.Image
Box = tuple[float, float, float, float]

MOST_PIXELS: Final = 40_000_000
THUMBNAIL_WIDTH: Final = 512
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_TILE: Final = 320
_ACROSS: Final = 4


def read_picture(body: bytes, param: str, longest: int) -> Picture:
    """A PNG, JPEG or WebP file upright, in RGB, no side longer than `longest` pixels. Raises ApiError (400) that names
    `param`."""
    picture = pictures.opaque(pictures.read_picture(body, param, _FORMATS, MOST_PIXELS))
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return picture


def from_frame(frame: Frame) -> Picture:
    return Image.fromarray(frame)


def to_frame(picture: Picture) -> Frame:
    return np.asarray(picture)


def covering(picture: Picture, size: tuple[int, int]) -> Box:
    """The largest middle part of the picture with the shape of `size`, as left, top, right, bottom."""
    width, height = size
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    return left, top, left + width * scale, top + height * scale


def seen(picture: Picture, box: Box, size: tuple[int, int]) -> Picture:
    """What lies in the box, at `size`. The box's edges may lie between pixels: a camera that moves slowly does not
    jump from one to the next."""
    inside = (max(0.0, box[0]), max(0.0, box[1]), min(picture.width, box[2]), min(picture.height, box[3]))
    return picture.resize(size, Image.Resampling.BICUBIC, box=inside)


def fitted(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame at `size`: what does not fit its shape is cut off at the sides."""
    if frame.shape[1::-1] == size:
        return frame
    picture = from_frame(frame)
    return to_frame(seen(picture, covering(picture, size), size))


def mixed(first: Picture, second: Picture, share: float) -> Picture:
    """`share` of the second picture (0 to 1), the rest of the first; both of one size."""
    return Image.blend(first, second, share)


def thumbnail(frame: Frame) -> bytes:
    """The frame as a WebP file, at most THUMBNAIL_WIDTH wide."""
    picture = from_frame(frame)
    if picture.width > THUMBNAIL_WIDTH:
        height = max(1, round(picture.height * THUMBNAIL_WIDTH / picture.width))
        picture = picture.resize((THUMBNAIL_WIDTH, height), Image.Resampling.LANCZOS)
    return _file(picture, "WEBP", quality=80)


class Spritesheet:
    """Up to sixteen frames of a film of `count` frames, evenly chosen, in rows of four, as one JPEG file."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        tiles = min(count, _ACROSS * _ACROSS)
        self._places = {count * tile // tiles: tile for tile in range(tiles)}
        scale = min(1.0, _TILE / max(size))
        self._tile = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        rows = -(-tiles // _ACROSS)
        self._sheet = Image.new("RGB", (min(tiles, _ACROSS) * self._tile[0], rows * self._tile[1]))

    def add(self, index: int, frame: Frame) -> Self:
        """Take the frame in if it is one of those chosen."""
        place = self._places.get(index)
        if place is not None:
            tile = from_frame(frame).resize(self._tile, Image.Resampling.LANCZOS)
            row, column = divmod(place, _ACROSS)
            self._sheet.paste(tile, (column * self._tile[0], row * self._tile[1]))
        return self

    def file(self) -> bytes:
        return _file(self._sheet, "JPEG", quality=85)


def _file(picture: Picture, kind: str, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, quality=quality)
    return out.getvalue()
