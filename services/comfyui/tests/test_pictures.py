"""Masks as the engine's nodes take them."""

import io

from nexus_comfyui.pictures import mask_png, masked_png
from PIL import Image

GRADIENT = Image.linear_gradient("L").convert("RGB").resize((101, 77))


def test_a_mask_goes_into_the_alpha_and_leaves_the_colours() -> None:
    change = Image.new("L", GRADIENT.size, 0)
    change.paste(255, (0, 0, 50, 77))
    made = Image.open(io.BytesIO(masked_png(GRADIENT, change)))
    assert made.convert("RGB").tobytes() == GRADIENT.tobytes()
    assert (made.getpixel((10, 10))[3], made.getpixel((90, 10))[3]) == (0, 255)
    alone = Image.open(io.BytesIO(mask_png(change)))
    assert (alone.getpixel((10, 10)), alone.getpixel((90, 10))) == ((255, 255, 255, 0), (0, 0, 0, 255))
