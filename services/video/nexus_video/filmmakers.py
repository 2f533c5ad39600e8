"""Which filmmakers there are: the table that a manifest entry's `[options] engine` chooses from."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from nexus.sdk.engine import Model
from nexus_video.animated import AnimatedStills
from nexus_video.film import Filmmaker

_DEFAULT: Final = "animated-stills"
_Maker = Callable[[Model, int], Filmmaker]


def _animated(model: Model, _threads: int) -> Filmmaker:
    return AnimatedStills(model.options)


def _diffusers(model: Model, threads: int) -> Filmmaker:
    try:
        from nexus_video.diffusion import DiffusionFilms  # noqa: PLC0415 - only where torch is can it be imported
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f'options.engine: "diffusers" needs the package {error.name}: give the service extras = ["diffusers"] '
            "in stack.toml, or install its requirements-diffusers.txt, and start it again"
        ) from error
    return DiffusionFilms(model.path, model.options, threads)


FILMMAKERS: Final[Mapping[str, _Maker]] = MappingProxyType({_DEFAULT: _animated, "diffusers": _diffusers})


def make(model: Model, threads: int) -> Filmmaker:
    """The filmmaker of a manifest entry. Raises RuntimeError or ValidationError when it cannot be made."""
    name = model.options.get("engine", _DEFAULT)
    if name not in FILMMAKERS:
        raise RuntimeError(f"options.engine: {name!r} is none of {', '.join(FILMMAKERS)}")
    return FILMMAKERS[name](model, threads)
