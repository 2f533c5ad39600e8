"""Documents made for the tests. The colour of a page tells a simulator what to do with it."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

COLOURS = {
    "read": (255, 255, 255),
    "fenced": (250, 250, 0),
    "cut": (255, 0, 0),
    "length": (0, 255, 0),
    "slow": (0, 0, 255),
    "error": (0, 255, 255),
    "nonsense": (255, 0, 255),
    "refuse": (0, 0, 0),
    "busy": (100, 100, 100),
    "partial": (200, 100, 0),
}


def page(word: str = "read", size: tuple[int, int] = (200, 100)) -> Image.Image:
    return Image.new("RGB", size, COLOURS[word])


def word_of(png: bytes) -> tuple[str, tuple[int, int]]:
    """Which page a picture is, and its size."""
    with Image.open(io.BytesIO(png)) as image:
        colour = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        return min(COLOURS, key=lambda word: _distance(COLOURS[word], colour)), image.size


def packed(images: Image.Image | Sequence[Image.Image], form: str = "PNG") -> bytes:
    first, *rest = [images] if isinstance(images, Image.Image) else images
    target = io.BytesIO()
    several: dict[str, Any] = {"save_all": True, "append_images": rest, "resolution": 72} if form == "PDF" else {}
    first.save(target, form, **several)
    return target.getvalue()


def url(body: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"


def _distance(one: Sequence[int], other: Any) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
