"""From what is asked to orders: one a seed, in one size, with the pictures fitted to it."""

from typing import Any

from nexus_images.orders import orders
from PIL import Image

from nexus.sdk.media.picture_requests import PicturesAsked


def asked(kind: Any = "edit", **fields: Any) -> PicturesAsked:
    return PicturesAsked(kind, "x", (7, 8), **fields)


def test_the_painter_chooses_a_size_that_is_not_said() -> None:
    first, second = orders(asked("generation", steps=3, previews=2), 512)
    assert (first.seed, second.seed, first.steps, first.previews) == (7, 8, 3, 2)
    assert (first.width, first.height, first.base, first.mask, first.varied) == (512, 512, None, None, False)
    assert [(one.width, one.height) for one in orders(asked("generation", size=(96, 64)), 512)] == [(96, 64)] * 2


def test_picture_and_mask_are_fitted_and_further_pictures_are_not(house: Image.Image) -> None:
    change = Image.new("L", house.size, 255)
    order, _ = orders(asked(size=(96, 128), images=(house, house), mask=change), 512)
    assert order.base is not None
    assert order.mask is not None
    assert order.base.size == order.mask.size == (order.width, order.height) == (96, 128)
    assert order.references == (house,)


def test_variations_are_varied(house: Image.Image) -> None:
    first, _ = orders(asked("variation", size=house.size, images=(house,)), 512)
    assert (first.varied, first.base, first.references) == (True, house, ())
