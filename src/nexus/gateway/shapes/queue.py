"""`queue` of nexus.yaml."""

from typing import Annotated, Final

from pydantic import Field

from nexus.gateway.shapes.base import Seconds, Shape
from nexus.gateway.shapes.document import Keys
from nexus.gateway.values import QueueRules

_USUAL: Final = QueueRules()


class QueueShape(Shape):
    """See `values.QueueRules`."""

    max_waiting: Annotated[int, Field(ge=0, le=100_000)] = _USUAL.max_waiting
    max_seconds: Seconds = _USUAL.max_seconds


QUEUE_KEYS: Final[Keys] = {("queue",): QueueShape}
