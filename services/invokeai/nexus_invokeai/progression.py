"""How far a queue item is, told from InvokeAI's socket.io events. Sans I/O; the events are events_common.py's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import ApiError
from nexus.sdk.media.data_urls import read_data_url

EVENTS: Final = (
    "invocation_started",
    "invocation_progress",
    "invocation_complete",
    "invocation_error",
    "queue_item_status_changed",
)
FINISHED: Final = ("completed", "failed", "canceled")
_MOST_PREVIEW_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Step:
    """`fraction` of the whole picture that is done, 0 to 1, and what is being done."""

    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Preview:
    """An unfinished picture as a file, at this fraction of the way."""

    body: bytes
    fraction: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The item's status (completed, failed, canceled); `reason` and `kind` (the exception's name) where it failed."""

    status: str
    reason: str = ""
    kind: str = ""


Told = Step | Preview | Ended


class Progression:
    """One item's events; those of others are passed over."""

    def __init__(self, item_id: int, weights: Mapping[str, float]) -> None:
        self._item = item_id
        self._weights = weights
        self._done = dict.fromkeys(weights, 0.0)
        self._best = 0.0

    def feed(self, event: str, data: Any) -> list[Told]:
        """What an event tells. Raises ValueError for what is none of the engine's."""
        if not isinstance(data, dict):
            raise ValueError(f"{event} without an object")  # noqa: TRY004 - a peer's data, no programming error
        if data.get("item_id") != self._item:
            return []
        node = str(data.get("invocation_source_id", ""))
        if event == "queue_item_status_changed":
            return self._changed(data)
        if event == "invocation_progress":
            return self._progress(node, data)
        if event == "invocation_complete":
            self._at(node, 1.0)
        if event == "invocation_error":
            return [Step(self._best, f"{node} failed")]  # the item's own status ends it
        return [self._step(node)]

    def _changed(self, data: dict[str, Any]) -> list[Told]:
        status = str(data.get("status"))
        if status in FINISHED:
            return [Ended(status, _line(data.get("error_message")), str(data.get("error_type") or ""))]
        return [Step(self._best, "waiting in the engine's queue" if status == "pending" else "running")]

    def _progress(self, node: str, data: dict[str, Any]) -> list[Told]:
        part = data.get("percentage")
        if isinstance(part, int | float):
            self._at(node, min(1.0, max(0.0, part)))
        told: list[Told] = [self._step(_line(data.get("message")) or node)]
        image = data.get("image")
        if isinstance(image, dict) and isinstance(image.get("dataURL"), str):
            try:
                body = read_data_url(image["dataURL"], "image", _MOST_PREVIEW_BYTES).body
            except ApiError as error:
                raise ValueError(error.message) from error
            told.append(Preview(body, self._best))
        return told

    def _at(self, node: str, done: float) -> None:
        if node in self._done:
            self._done[node] = max(self._done[node], done)

    def _step(self, message: str) -> Step:
        done = sum(self._done[name] * weight for name, weight in self._weights.items())
        self._best = max(self._best, min(1.0, done / sum(self._weights.values())))
        return Step(self._best, message)


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())[:500]
