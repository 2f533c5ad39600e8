"""When an answer is one, by its operation: what the whole of it has, and how a stream of events ends."""

from collections.abc import Mapping
from typing import Any, Final

_LAST: Final[Mapping[str, tuple[str, ...]]] = {
    "responses": ("response.completed", "response.failed", "response.incomplete"),
    "messages": ("message_stop",),
    "images.generations": ("image_generation.completed",),
    "images.edits": ("image_edit.completed",),
    "audio.transcriptions": ("transcript.text.done",),
    "audio.speech": ("speech.audio.done",),
}
"""The types of the events that end the streams of an operation; those of the others end with `[DONE]`."""

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "chat.completions": ("choices",),
    "completions": ("choices",),
    "responses": ("output",),
    "messages": ("content",),
    "embeddings": ("data",),
    "rerank": ("results", "data"),
    "moderations": ("results",),
    "images.generations": ("data",),
    "images.edits": ("data",),
    "images.variations": ("data",),
    "audio.transcriptions": ("text", "segments"),
    "audio.translations": ("text", "segments"),
}
"""Where the whole answer of an operation has what it is about: in one of these fields."""


class Ending:
    """Watches the events of one stream of `operation` go by."""

    def __init__(self, operation: str) -> None:
        self._last = _LAST.get(operation)
        self._ended = False
        self._open: dict[int, bool] = {}

    def see(self, value: Mapping[str, Any]) -> None:
        """Note one event."""
        if self._last is not None:
            self._ended = self._ended or value.get("type") in self._last
            return
        for choice in choices(value):
            index = choice.get("index", 0)
            self._open[index] = self._open.get(index, True) and not choice.get("finish_reason")

    @property
    def whole(self) -> bool:
        """Whether it may stop here. Some servers leave `[DONE]` out: then each choice has to have said its end."""
        return self._ended if self._last is not None else bool(self._open) and not any(self._open.values())


def choices(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The choices of a chunk; none where it has none."""
    found = value.get("choices")
    return [choice for choice in found if isinstance(choice, Mapping)] if isinstance(found, list) else []


class UsageFold:
    """Usage that was asked for without the caller's knowing: it goes into the chunk that ends the answer.

    A caller who did not ask for it does not expect the chunk without choices that would bring it.
    """

    def __init__(self) -> None:
        self._held: dict[str, Any] | None = None

    def pass_on(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        """The chunks to send now that this one has come."""
        held, self._held = self._held, None
        if not choices(value):
            if value.get("usage") is None:
                return [chunk for chunk in (held, value) if chunk is not None]
            return [] if held is None else [{**held, "usage": value["usage"]}]
        if any(choice.get("finish_reason") for choice in choices(value)):
            self._held = value
            return [] if held is None else [held]
        return [value] if held is None else [held, value]

    def rest(self) -> list[dict[str, Any]]:
        """What is left at the end."""
        held, self._held = self._held, None
        return [] if held is None else [held]
