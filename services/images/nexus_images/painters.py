"""Which engines there are: the one table that a manifest entry's `engine` is looked up in."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from nexus.sdk.engine import Model
from nexus_images.painter import Painter


def _terrain(model: Model, threads: int) -> Painter:
    from nexus_images.terrain_painter import TerrainPainter  # noqa: PLC0415 - each painter is imported by those who use it

    return TerrainPainter(model, threads)


def _diffusers(model: Model, threads: int) -> Painter:
    try:
        from nexus_images.diffusers_painter import DiffusersPainter  # noqa: PLC0415 - torch may not be there
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f'engine = "diffusers" needs the package {error.name}, which is not in this environment: give this service '
            'extras = ["diffusers"] in stack.toml, or install its requirements-diffusers.txt, and start it again'
        ) from error
    return DiffusersPainter(model, threads)


PAINTERS: Final[Mapping[str, Callable[[Model, int], Painter]]] = MappingProxyType(
    {"terrain": _terrain, "diffusers": _diffusers}
)


def make_painter(model: Model, threads: int) -> Painter:
    """The painter of a manifest entry, loaded. Raises RuntimeError, FileNotFoundError or ValueError in plain words."""
    name = str(model.options.get("engine", ""))
    if name not in PAINTERS:
        raise RuntimeError(f"the entry's [options] engine is {name!r}; there are {', '.join(PAINTERS)}")
    return PAINTERS[name](model, threads)
