"""`/v1/models`: what can be asked for by name."""

from typing import Literal

from nexus.contract.wire.base import Wire


class ModelObject(Wire):
    """One model; `created` is in seconds since the epoch."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = ""


class ModelList(Wire):
    object: Literal["list"] = "list"
    data: tuple[ModelObject, ...] = ()
