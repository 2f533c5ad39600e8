"""`retries` and `fallbacks` of nexus.yaml."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from nexus.gateway.shapes.base import Name, Shape
from nexus.gateway.shapes.document import Keys
from nexus.gateway.values import Retries


class RetriesShape(Shape):
    """See `values.Retries`."""

    max_attempts: Annotated[int, Field(ge=1, le=10)] = Retries().max_attempts
    budget_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Retries().budget_ratio


FallbacksShape = dict[Name, Annotated[list[Name], Field(max_length=16)]]

RETRIES_KEYS: Final[Keys] = {("retries",): RetriesShape}


class FallbackMistakeError(ValueError):
    """A model cannot stand in for itself. `model` and `index` say which one is meant to."""

    def __init__(self, model: str, index: int, name: str) -> None:
        super().__init__(f"{name} is the same model as {model}: it cannot stand in for itself")
        self.model = model
        self.index = index


def fallbacks_of(given: Mapping[str, list[str]], aliases: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The fallbacks of each model, also under the aliases that stand for it. Raises FallbackMistakeError.

    `aliases` maps each alias to what it finally stands for. Fallbacks have none of their own, so that two models may
    stand in for each other.
    """
    own: dict[str, tuple[str, ...]] = {}
    for model, names in given.items():
        finally_meant = [aliases.get(name, name) for name in names]
        for index, name in enumerate(finally_meant):
            if name == aliases.get(model, model):
                raise FallbackMistakeError(model, index, names[index])
        own[model] = tuple(dict.fromkeys(finally_meant))
    by_alias = {alias: own[model] for alias, model in aliases.items() if model in own and alias not in own}
    return own | by_alias
