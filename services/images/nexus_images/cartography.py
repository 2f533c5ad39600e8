"""From heights to a map: colours by height and depth, and the shade of a light from the upper left."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image

from nexus_images.networks import Array

Stops = tuple[tuple[float, tuple[int, int, int]], ...]
_SHADES: Final = 512
_PAPER: Final = (236, 232, 222)
_LIGHT: Final = 0.7
_DARKEST, _BRIGHTEST = 0.45, 1.5
_BASE_RELIEF: Final = 24.0
_MORE_RELIEF: Final = 56.0


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of the land from the shore (0) to the top (1), and of the water from the shore (0) to the deepest (1)."""

    land: Stops
    water: Stops


_BLUE: Final[Stops] = ((0, (110, 172, 200)), (0.35, (58, 120, 168)), (1, (18, 52, 96)))
PALETTES: Final = MappingProxyType(
    {
        "atlas": Palette(
            (
                (0, (216, 204, 156)),
                (0.05, (140, 168, 92)),
                (0.3, (80, 122, 60)),
                (0.55, (134, 112, 80)),
                (0.8, (152, 142, 134)),
                (1, (248, 248, 250)),
            ),
            _BLUE,
        ),
        "desert": Palette(
            ((0, (236, 214, 160)), (0.4, (214, 170, 108)), (0.7, (182, 122, 76)), (1, (128, 76, 54))), _BLUE
        ),
        "winter": Palette(
            ((0, (206, 214, 218)), (0.3, (232, 238, 242)), (0.6, (176, 184, 194)), (1, (255, 255, 255))),
            ((0, (176, 208, 222)), (1, (52, 92, 124))),
        ),
        "autumn": Palette(
            (
                (0, (214, 196, 140)),
                (0.2, (196, 136, 52)),
                (0.45, (158, 72, 40)),
                (0.75, (112, 84, 70)),
                (1, (238, 234, 228)),
            ),
            _BLUE,
        ),
        "Mars": Palette(
            ((0, (104, 46, 32)), (0.4, (168, 82, 52)), (0.75, (204, 128, 86)), (1, (242, 208, 176))),
            ((0, (92, 42, 32)), (1, (44, 20, 18))),
        ),
        "Moon": Palette(
            ((0, (74, 74, 78)), (0.5, (136, 136, 138)), (1, (222, 222, 220))), ((0, (66, 66, 70)), (1, (30, 30, 34)))
        ),
        "lava": Palette(
            ((0, (32, 26, 28)), (0.5, (66, 56, 56)), (0.85, (104, 92, 88)), (1, (150, 140, 136))),
            ((0, (250, 196, 60)), (0.4, (236, 98, 24)), (1, (140, 24, 12))),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Look:
    """How land is drawn: its palette's name, the share of it that lies under water, and how rugged it is (0 to 1)."""

    palette: str
    water: float
    ruggedness: float


def draw(
    heights: Array, known: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float], look: Look
) -> Image.Image:
    """The map of the part `box` (left, top, right, bottom, in cells), `size` (width, height) pixels; paper-coloured
    where nothing is known yet."""
    land = Image.fromarray(np.where(known, heights, heights[known].mean()).astype(np.float32))
    values = np.asarray(land.resize(size, Image.Resampling.BICUBIC, box), np.float32)
    there = np.asarray(Image.fromarray(known).resize(size, Image.Resampling.NEAREST, box))
    low, sea, high = _levels(heights[known], look.water)
    colours = _coloured(values, (low, sea, high), look)
    per_cell = size[0] / (box[2] - box[0])
    colours *= _shade((values - low) / (high - low), sea, low, high, look.ruggedness, per_cell)[..., None]
    colours[~there] = _PAPER
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def _levels(values: Array, water: float) -> tuple[float, float, float]:
    """The lowest height, the sea's and the highest; outliers left out."""
    low, sea, high = (float(level) for level in np.quantile(values, (0.002, water, 0.998)))
    high = max(high, low + 1e-3)
    return low, min(max(sea, low), high - 1e-4), high


def _coloured(values: Array, levels: tuple[float, float, float], look: Look) -> Array:
    low, sea, high = levels
    palette = PALETTES[look.palette]
    tallest = 0.5 + 0.5 * look.ruggedness  # gentle land does not reach the colours of peaks
    up = _shades(palette.land)[_index((values - sea) / (high - sea) * tallest)]
    if look.water <= 0:
        return up
    down = _shades(palette.water)[_index((sea - values) / max(sea - low, 1e-4))]
    return np.where((values < sea)[..., None], down, up)


def _index(fraction: Array) -> np.ndarray:
    return (np.clip(fraction, 0, 1) * (_SHADES - 1)).astype(np.int16)


def _shades(stops: Stops) -> Array:
    at = np.linspace(0, 1, _SHADES)
    places = [place for place, _ in stops]
    channels = [np.interp(at, places, [colour[channel] for _, colour in stops]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _shade(unit: Array, sea: float, low: float, high: float, ruggedness: float, per_cell: float) -> Array:
    """How bright each pixel is: land that faces the light is brighter, water is even."""
    relief = (_BASE_RELIEF + _MORE_RELIEF * ruggedness) * per_cell
    down, right = np.gradient(unit * np.float32(relief))
    shade = 1 + (right + down) * np.float32(_LIGHT) / np.sqrt(1 + right**2 + down**2)
    return np.where(unit < (sea - low) / (high - low), np.float32(1), np.clip(shade, _DARKEST, _BRIGHTEST))
