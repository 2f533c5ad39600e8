"""A picture, and files and forms of pictures, as clients send them."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageDraw

from nexus.sdk.engine import Form, Upload


@pytest.fixture(scope="session")
def house() -> Image.Image:
    """A small picture with shapes and colours in it."""
    picture = Image.new("RGB", (192, 160), (120, 180, 230))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 110, 192, 160), fill=(70, 140, 60))
    pen.polygon([(50, 60), (95, 20), (140, 60)], fill=(90, 40, 30))
    return picture


@pytest.fixture(scope="session")
def file_of() -> Callable[..., bytes]:
    """An image as the bytes of a file."""

    def write(image: Image.Image, file_format: str = "PNG", **how: Any) -> bytes:
        target = io.BytesIO()
        image.save(target, file_format, **how)
        return target.getvalue()

    return write


@pytest.fixture(scope="session")
def form_of() -> Callable[..., Form]:
    """A form of text fields and files: `files` gives the bytes, or a list of them, by name."""

    def make(fields: dict[str, str], **files: Any) -> Form:
        lists = {name: given if isinstance(given, list) else [given] for name, given in files.items()}
        uploads = {
            name: tuple(Upload("picture", "application/octet-stream", body) for body in bodies)
            for name, bodies in lists.items()
        }
        return Form(fields, {}, {name: several[-1] for name, several in uploads.items()}, uploads)

    return make
