"""Masks as the engine takes them."""

import io

from nexus_invokeai.painting import mask_png
from PIL import Image


def test_the_engines_mask_is_black_where_the_picture_may_change() -> None:
    change = Image.new("L", (101, 77), 0)
    change.paste(255, (0, 0, 50, 77))
    made = Image.open(io.BytesIO(mask_png(change)))
    assert (made.getpixel((10, 10)), made.getpixel((90, 10))) == (0, 255)
