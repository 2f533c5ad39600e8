"""Pictures on their way to the engine and back."""

import io

import pytest
from nexus_invokeai import pictures
from PIL import Image

from nexus.contract.errors import ApiError

GRADIENT = Image.linear_gradient("L").convert("RGB").resize((101, 77))


def test_what_is_bordered_comes_back_whole() -> None:
    wide = pictures.bordered(GRADIENT, (104, 80))
    assert wide.size == (104, 80)
    assert pictures.cut(wide, (101, 77)).tobytes() == GRADIENT.tobytes()


def test_a_picture_of_quite_another_size_is_fitted() -> None:
    assert pictures.cut(GRADIENT.resize((512, 512)), (64, 96)).size == (64, 96)
    assert pictures.cut(GRADIENT.resize((32, 32)), (64, 96)).size == (64, 96)


def test_the_engines_mask_is_black_where_the_picture_may_change() -> None:
    change = Image.new("L", GRADIENT.size, 0)
    change.paste(255, (0, 0, 50, 77))
    made = Image.open(io.BytesIO(pictures.inverted_png(change)))
    assert (made.getpixel((10, 10)), made.getpixel((90, 10))) == (0, 255)


@pytest.mark.parametrize(
    ("size", "natural"), [((100, 100), (100, 100)), ((8192, 4096), (2048, 1024)), ((32, 48), (64, 96))]
)
def test_natural_sizes(size: tuple[int, int], natural: tuple[int, int]) -> None:
    assert pictures.natural_size(Image.new("RGB", size)) == natural


def test_masks_that_are_none() -> None:
    for mask in (Image.new("RGBA", (3, 3)), Image.new("RGB", (9, 9))):
        with pytest.raises(ApiError) as caught:
            pictures.may_change(mask, (9, 9), "mask")
        assert (caught.value.status, caught.value.param) == (400, "mask")


def test_the_engines_broken_picture_is_the_engines() -> None:
    with pytest.raises(ApiError) as caught:
        pictures.from_engine(b"nothing")
    assert caught.value.status == 502
