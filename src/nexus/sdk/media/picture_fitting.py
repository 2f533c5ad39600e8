"""Pictures brought to size: within bounds, in another shape, and into room that an engine computes in steps."""

from typing import Final

from PIL import Image, ImageOps

SMALLEST: Final = 64
_MOST_CUT: Final = 64


def natural_size(picture: Image.Image, largest: int) -> tuple[int, int]:
    """The picture's own size, its sides brought within SMALLEST and `largest`."""
    scale = max(min(1.0, largest / max(picture.size)), SMALLEST / min(picture.size))
    width, height = (min(largest, max(SMALLEST, round(length * scale))) for length in picture.size)
    return width, height


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of the picture in the size's shape, brought to that size; itself where it has it."""
    return picture if picture.size == size else ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def bordered(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in the middle of a larger size, its edges gone on with; itself where it has it. See `cut`."""
    if picture.size == size:
        return picture
    left, top = (size[0] - picture.width) // 2, (size[1] - picture.height) // 2
    spread = picture.resize(size)
    spread.paste(picture, (left, top))
    return spread


def cut(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """What undoes `bordered`: the middle of a picture that is a little larger; one that is not is fitted."""
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    if not (0 <= left <= _MOST_CUT and 0 <= top <= _MOST_CUT):
        return fitted(picture, size)
    return picture.crop((left, top, left + size[0], top + size[1]))
