"""The embedded painter: maps of invented land, and given pictures in other styles. It draws nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from nexus.sdk.engine import Model
from nexus.sdk.packages import packaged
from nexus_images.cartography import draw
from nexus_images.networks import Network, Running
from nexus_images.painter import Easel, Order, Painting
from nexus_images.scene import Scene, read_scene
from nexus_images.styles import DEFAULT, STYLES, named_style, words_of
from nexus_images.stylist import Stylist
from nexus_images.terrain import Heights, canvas_length, grow

LIMITS: Final = (
    "this small embedded model draws maps of invented land and repaints pictures in its styles, nothing else"
)
_CELLS: Final = 304
_FEW_CELLS: Final = 176
_SMALL: Final = 256  # pixels; more cells than this many show nothing more
_MARGIN: Final = 8  # cells at the rim that no second square has corrected
_COARSE: Final = (128, 256, 448)
_VARIED: Final = 0.75


class Options(BaseModel):
    """A manifest entry's `[options]`: the styles' networks are in the folder `styles` of an installed package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["terrain"]
    styles_package: Annotated[str, Field(min_length=1)]
    styles: str = "."


class TerrainPainter:
    """A network for land and three for styles. Orders are painted one at a time."""

    native = 512

    def __init__(self, model: Model, threads: int) -> None:
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no file")
        self._land = Network(model.path, threads)
        self._stylist = Stylist(_styles_folder(model.options), threads)

    def paint(self, order: Order, easel: Easel) -> Painting:
        """Land where there is no picture to start from; else that picture repainted, where the mask allows it."""
        running = Running(easel.call)
        easel.progress(0)
        if order.base is None:
            return self._painted_land(order, easel, running)
        painting = self._repainted(order, order.base, easel, running)
        easel.progress(1)
        return painting

    def tokens(self, text: str) -> int:
        """Words: that is all this painter reads."""
        return len(words_of(text))

    def close(self) -> None:
        """Nothing is held but memory."""

    def _painted_land(self, order: Order, easel: Easel, running: Running) -> Painting:
        scene = read_scene(order.prompt)
        picture = None
        marks = _marks(order.previews)
        for heights in self._heights(order, scene, running):
            easel.progress(heights.fraction * (0.6 if scene.style else 1))
            if marks and heights.fraction >= marks[0] and heights.fraction < 1:
                marks.pop(0)
                easel.show(_map(heights, order, scene))
            if heights.fraction == 1:
                picture = _map(heights, order, scene)
        assert picture is not None  # noqa: S101 - the last of the heights is whole
        if scene.style is not None:
            picture = self._stylist.repaint(picture, {scene.style.index: 1.0}, running)
            easel.progress(1)
        return Painting(picture, f"A map of invented land, {scene.words} (seed {order.seed}); {LIMITS}.")

    def _heights(self, order: Order, scene: Scene, running: Running) -> Iterator[Heights]:
        columns, rows = (canvas_length(round(length) + 2 * _MARGIN) for length in _visible(order))
        return grow(self._land, rows, columns, scene.look.ruggedness, order.seed, running)

    def _repainted(self, order: Order, base: Image.Image, easel: Easel, running: Running) -> Painting:
        if order.references:
            told = "in the manner of the second picture"
            painted = self._stylist.imitate(base, order.references[0], running)
        else:
            weights, told = _variation(order.seed) if order.varied else _asked_style(order.prompt)
            for longest in _COARSE[: order.previews]:
                easel.show(self._mixed(order, base, self._stylist.repaint(base, weights, running, longest)))
                easel.progress(0.2)
            painted = self._stylist.repaint(base, weights, running)
        where = " where the mask is transparent" if order.mask else ""
        return Painting(self._mixed(order, base, painted), f"The given picture{where} {told}; {LIMITS}.")

    def _mixed(self, order: Order, base: Image.Image, painted: Image.Image) -> Image.Image:
        strength = (_VARIED if order.varied else 1.0) if order.strength is None else order.strength
        return Image.blend(base, painted, strength) if strength < 1 else painted


def _variation(seed: int) -> tuple[Mapping[int, float], str]:
    """A mixture of two styles, by chance."""
    chance = np.random.default_rng(seed)
    first, second = (int(index) for index in chance.choice(len(STYLES), 2, replace=False))
    share = float(chance.uniform(0.35, 0.65))
    told = f"in a mixture of the styles {STYLES[first].name!r} and {STYLES[second].name!r} (seed {seed})"
    return {first: share, second: 1 - share}, told


def _asked_style(prompt: str) -> tuple[Mapping[int, float], str]:
    style = named_style(prompt, hints=True)
    if style is None:
        return {
            DEFAULT.index: 1.0
        }, f"in the style {DEFAULT.name!r}, as the prompt names none of the {len(STYLES)} styles"
    return {style.index: 1.0}, f"in the style {style.name!r}"


def _visible(order: Order) -> tuple[float, float]:
    """The cells that the picture shows, across and down."""
    longest = max(order.width, order.height)
    scale = (_CELLS if longest > _SMALL else _FEW_CELLS) / longest
    return order.width * scale, order.height * scale


def _map(heights: Heights, order: Order, scene: Scene) -> Image.Image:
    across, down = _visible(order)
    box = (_MARGIN, _MARGIN, _MARGIN + across, _MARGIN + down)
    return draw(heights.values, heights.known, (order.width, order.height), box, scene.look)


def _marks(previews: int) -> list[float]:
    """The fractions of the work at which previews are shown."""
    return [(number + 1) / (previews + 1) for number in range(previews)]


def _styles_folder(given: Mapping[str, Any]) -> Path:
    options = Options.model_validate(dict(given))
    return packaged(options.styles_package, options.styles)
