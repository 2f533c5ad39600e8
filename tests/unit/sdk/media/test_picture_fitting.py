"""Pictures brought to size, and back."""

import pytest
from PIL import Image

from nexus.sdk.media.picture_fitting import bordered, cut, fitted, natural_size

GRADIENT = Image.linear_gradient("L").convert("RGB").resize((101, 77))


@pytest.mark.parametrize(
    ("size", "natural"),
    [
        ((100, 80), (100, 80)),
        ((1, 1), (64, 64)),
        ((32, 48), (64, 96)),
        ((2048, 40), (2048, 64)),
        ((10, 2000), (64, 2048)),
        ((8192, 4096), (2048, 1024)),
    ],
)
def test_natural_sizes_are_within_bounds(size: tuple[int, int], natural: tuple[int, int]) -> None:
    assert natural_size(Image.new("L", size), 2048) == natural


def test_the_longest_side_is_the_engines_to_say() -> None:
    assert natural_size(Image.new("L", (8192, 4096)), 4096) == (4096, 2048)


def test_fitting_keeps_the_middle() -> None:
    assert fitted(GRADIENT, GRADIENT.size) is GRADIENT
    striped = Image.new("L", (300, 100))
    striped.paste(255, (100, 0, 200, 100))
    assert fitted(striped, (50, 50)).crop((5, 0, 45, 50)).getextrema() == (255, 255)


def test_what_is_bordered_comes_back_whole() -> None:
    wide = bordered(GRADIENT, (104, 80))
    assert wide.size == (104, 80)
    assert cut(wide, (101, 77)).tobytes() == GRADIENT.tobytes()
    assert bordered(GRADIENT, GRADIENT.size) is GRADIENT


def test_a_picture_of_quite_another_size_is_fitted() -> None:
    assert (
        cut(GRADIENT.resize((512, 512)), (64, 96)).tobytes() == fitted(GRADIENT.resize((512, 512)), (64, 96)).tobytes()
    )
    assert cut(GRADIENT.resize((32, 32)), (64, 96)).size == (64, 96)
