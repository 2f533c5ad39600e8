"""Which models there are: the engine's SDXL models under names that a model can have, with their own settings."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Found, Model
from nexus.sdk.media.picture_requests import read_size
from nexus_invokeai.graphs import LARGEST, SCHEDULERS, STEP

_IDENTITY: Final = ("key", "hash", "name", "base", "type")
_NATIVE: Final = (1024, 1024)


@dataclass(frozen=True, slots=True)
class Palette:
    """A model as graphs name it, and what is taken where a request says nothing."""

    identifier: dict[str, str]
    size: tuple[int, int] = _NATIVE
    steps: int = 30
    guidance_scale: float = 7.0
    scheduler: str = "dpmpp_2m_k"
    strength: float = 0.6

    @property
    def key(self) -> str:
        return self.identifier["key"]


Offer = tuple[Found, Palette | None]


def offers(records: Sequence[Mapping[str, Any]], wanted: Sequence[Model]) -> list[Offer]:
    """Every model with its palette, None where it cannot be asked for.

    Entries of the manifest (`[options] model = "NAME OR KEY"`) come first and name and settle a model; one that none
    names is offered by its own name, blanks as dashes.
    """
    found: list[Offer] = []
    named: set[str] = set()
    for model in wanted:
        asked = str(model.options.get("model", ""))
        record = next((one for one in records if asked in (one["key"], one["name"])), None)
        if record is None:
            found.append((Found(model, "failed", f"the engine has no SDXL model {asked!r}"), None))
            continue
        named.add(record["key"])
        try:
            found.append((Found(model), _palette(record, model.options)))
        except ApiError as error:
            found.append((Found(model, "failed", f"options: {error.message}"), None))
    for record in records:
        if record["key"] not in named:
            model = Model(id=_id(str(record["name"])), aliases=(str(record["key"]),))
            found.append((Found(model), _palette(record, {})))
    return _distinct(found)


def _distinct(found: Sequence[Offer]) -> list[Offer]:
    """Models of one name told apart by the beginning of their keys."""
    taken: set[str] = set()
    distinct: list[Offer] = []
    for one, palette in found:
        if one.model.id in taken and palette is not None:
            one = replace(one, model=replace(one.model, id=f"{one.model.id}-{palette.key[:8]}"))  # noqa: PLW2901
        taken.add(one.model.id)
        distinct.append((one, palette))
    return distinct


def _palette(record: Mapping[str, Any], options: Mapping[str, Any]) -> Palette:
    """The engine's own default settings of a model, and before them those of the entry; what is no setting is left."""
    told = record.get("default_settings")
    own = told if isinstance(told, dict) else {}
    settings = {"guidance_scale": own.get("cfg_scale"), **own, **options}
    known: dict[str, Any] = {}
    if _is_number(settings.get("steps")) and settings["steps"] >= 1:
        known["steps"] = int(settings["steps"])
    if _is_number(settings.get("guidance_scale")) and settings["guidance_scale"] >= 1:
        known["guidance_scale"] = float(settings["guidance_scale"])
    if _is_number(settings.get("strength")) and 0 < settings["strength"] <= 1:
        known["strength"] = float(settings["strength"])
    if isinstance(settings.get("scheduler"), str) and settings["scheduler"] in SCHEDULERS:
        known["scheduler"] = settings["scheduler"]
    size = read_size(str(options["size"]), LARGEST) if "size" in options else _own_size(own)
    identifier = {name: str(record.get(name) or "") for name in _IDENTITY}
    return Palette(identifier, size or _NATIVE, **known)


def _own_size(own: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = own.get("width"), own.get("height")
    if not _is_number(width) or not _is_number(height) or width % STEP or height % STEP:
        return None
    return int(width), int(height)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _id(name: str) -> str:
    return re.sub(r"[\s/\\\x00-\x1f\x7f]+", "-", name).strip("-")[:256] or "model"
