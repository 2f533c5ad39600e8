"""The parts of a map: canvases that squares cover, and the colours of heights."""

import numpy as np
import pytest
from nexus_images.cartography import PALETTES, Look, draw
from nexus_images.terrain import SQUARE, STRIDE, canvas_length

BOX = (0.0, 0.0, 64.0, 64.0)


@pytest.mark.parametrize(("cells", "length"), [(1, 128), (128, 128), (129, 192), (320, 320), (321, 384)])
def test_squares_cover_a_canvas_whole(cells: int, length: int) -> None:
    assert canvas_length(cells) == length
    assert (length - SQUARE) % STRIDE == 0


def slope() -> np.ndarray:
    """Heights that rise from left to right."""
    return np.tile(np.linspace(-1, 1, 64, dtype=np.float32), (64, 1))


@pytest.mark.parametrize("palette", list(PALETTES))
def test_low_land_is_water_and_high_land_is_not(palette: str) -> None:
    known = np.ones((64, 64), bool)
    values = np.asarray(draw(slope(), known, (128, 96), BOX, Look(palette, 0.5, 0.5)), int)
    assert values.shape == (96, 128, 3)
    dry = np.asarray(draw(slope(), known, (128, 96), BOX, Look(palette, 0.0, 0.5)), int)
    assert np.abs(values[:, 10] - dry[:, 10]).mean() > 3
    if palette == "atlas":
        assert values[48, 20, 2] > values[48, 20, 0]
        assert values[48, 80, 2] < values[48, 80, 1]


def test_the_light_comes_from_the_upper_left() -> None:
    known, dry = np.ones((64, 64), bool), Look("Moon", 0.0, 0.5)
    ridge = np.minimum(slope(), slope()[:, ::-1])
    values = np.asarray(draw(ridge, known, (64, 64), BOX, dry), int)
    assert values[32, 20, 0] > values[32, 43, 0] + 20


def test_what_is_not_known_yet_is_paper() -> None:
    known = np.zeros((64, 64), bool)
    known[:, :32] = True
    values = np.asarray(draw(slope(), known, (64, 64), BOX, Look("atlas", 0.2, 0.5)), int)
    assert tuple(values[10, 50]) == (236, 232, 222)
    assert tuple(values[10, 10]) != (236, 232, 222)


def test_level_land_has_a_colour_too() -> None:
    flat = np.zeros((64, 64), np.float32)
    draw(flat, np.ones((64, 64), bool), (64, 64), BOX, Look("atlas", 0.65, 0.0))
