"""Pages drawn for the service to read: Pillow's own font needs no file."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont


def page(
    lines: Sequence[str], size: int = 22, pitch: int = 34, at: tuple[int, int] = (60, 60), shape: Any = (1000, 700)
) -> Image.Image:
    """A white page with lines of black text."""
    image = Image.new("RGB", shape, "white")
    write(image, lines, size, pitch, at)
    return image


def write(image: Image.Image, lines: Sequence[str], size: int, pitch: int, at: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + number * pitch), line, font=ImageFont.load_default(size=size), fill="black")


def packed(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def url(body: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"
