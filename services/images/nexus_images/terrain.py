"""Heights of invented land: a one-step diffusion network for squares of 128 cells, joined to any size.

The network (adaptive-terrain-diffusion) was distilled for one step from noise of deviation 80 and takes a difficulty, 0
to 1, of the terrain. Larger land is one canvas of noise, seen by overlapping squares whose heights are blended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from nexus_images.networks import Array, Network, Running

SQUARE: Final = 128
STRIDE: Final = 64
_DEVIATION: Final = 80.0
_LEAST_WEIGHT: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Heights:
    """The land as far as it is there: `values` (the network's own scale, about -1 to 1) where `known`.

    `fraction` tells how much of the work is done.
    """

    values: Array
    known: np.ndarray
    fraction: float


def canvas_length(cells: int) -> int:
    """The cells of the shortest canvas that whole squares cover and that holds so many."""
    return SQUARE + max(0, -(-(cells - SQUARE) // STRIDE)) * STRIDE


def grow(
    network: Network, rows: int, columns: int, difficulty: float, seed: int, running: Running
) -> Iterator[Heights]:
    """The land after each square, from the first to the whole; `rows` and `columns` as `canvas_length` gives them."""
    noise = np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32) * np.float32(_DEVIATION)
    edge = np.maximum(np.hanning(SQUARE), _LEAST_WEIGHT).astype(np.float32)
    blend = np.outer(edge, edge)
    total, weight = np.zeros_like(noise), np.zeros_like(noise)
    places = [(y, x) for y in range(0, rows - SQUARE + 1, STRIDE) for x in range(0, columns - SQUARE + 1, STRIDE)]
    for done, (y, x) in enumerate(places, start=1):
        part = np.s_[y : y + SQUARE, x : x + SQUARE]
        total[part] += _denoised(network, noise[part], difficulty, running) * blend
        weight[part] += blend
        yield Heights(total / np.maximum(weight, _LEAST_WEIGHT**2), weight > 0, done / len(places))


def _denoised(network: Network, noisy: Array, difficulty: float, running: Running) -> Array:
    feeds = {
        "noisy": np.ascontiguousarray(noisy[None, None]),
        "sigma": np.array([_DEVIATION], np.float32),
        "difficulty": np.array([difficulty], np.float32),
    }
    return network.run(feeds, running)[0, 0]
