"""`hedging` of nexus.yaml."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import PlainValidator

from nexus.gateway.shapes.base import Shape
from nexus.gateway.shapes.document import Keys
from nexus.gateway.values import Hedge

_LONGEST: Final = 60.0  # seconds
_PERCENTILE: Final = re.compile(r"p([5-9][0-9])")


def _hedge(given: Any) -> Hedge:
    """What a value says. Raises ValueError."""
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= _LONGEST:
        return Hedge(seconds=float(given))
    word = _PERCENTILE.fullmatch(given) if isinstance(given, str) else None
    if word is None:
        raise ValueError("it should be seconds up to 60, or a percentile of what calls take, p50 to p99")
    return Hedge(share=int(word[1]) / 100)


_Given = Annotated[Hedge, PlainValidator(_hedge)]


class HedgingShape(Shape):
    """When calls are sent to another instance as well, by operation; None is what was not written."""

    embeddings: _Given = None  # type: ignore[assignment]
    rerank: _Given = None  # type: ignore[assignment]
    moderations: _Given = None  # type: ignore[assignment]

    @property
    def by_operation(self) -> Mapping[str, Hedge]:
        """What was written."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}


HEDGING_KEYS: Final[Keys] = {("hedging",): HedgingShape}
