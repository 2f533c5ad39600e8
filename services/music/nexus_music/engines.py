"""The engines that a manifest entry can name under `[options] engine`, in one table."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from nexus.sdk.engine import Model
from nexus_music.seam import MusicEngine
from nexus_music.symbolic import SymbolicEngine

ENGINES: Final[Mapping[str, Callable[[Model], MusicEngine]]] = {"symbolic": SymbolicEngine}


class Options(BaseModel):
    """What this service reads of an entry's `[options]`; the rest is the engine's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    engine: Annotated[str, Field(min_length=1)] = "symbolic"


def make_engine(model: Model) -> MusicEngine:
    """The engine of a manifest entry, loaded. Raises ValueError for one that is not in the table."""
    name = Options.model_validate(dict(model.options)).engine
    if name not in ENGINES:
        raise ValueError(f"{model.id}: {name!r} is none of the engines {', '.join(ENGINES)}")
    return ENGINES[name](model)
