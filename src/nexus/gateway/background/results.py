"""What of an answer is stored: as it came, or for some operations its parts one by one. The table is SPLITTERS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.gateway.names import sane_media_type

ANSWER: Final = "answer"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to store; the first of several is the result itself."""

    name: str
    media_type: str
    body: bytes


def split(operation: str, media_type: str, body: bytes) -> tuple[Part, ...]:
    """The parts of a whole answer, never none. Raises ApiError (502) for an answer that has not the promised shape."""
    if not media_type.startswith("application/json"):
        return (Part(ANSWER, media_type, body),)
    splitter = SPLITTERS.get(operation)
    return splitter(body) if splitter is not None else (Part(ANSWER, media_type, _valid(body)),)


def _valid(body: bytes) -> bytes:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApiError(UPSTREAM_ERROR, f"The service's answer is not valid JSON: {error}.") from error
    return body


class _Variant(msgspec.Struct):
    variant: Literal["video", "thumbnail", "spritesheet"]
    media_type: str
    b64_json: bytes  # read in passing: `base64` would take three times as long, and nothing else runs meanwhile


class _Videos(msgspec.Struct):
    data: list[_Variant]


def _variants(body: bytes) -> tuple[Part, ...]:
    """A video service's answer: `data` holds the video and what was made of it, in base64."""
    try:
        found = msgspec.json.decode(body, type=_Videos).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(UPSTREAM_ERROR, f"The service's answer holds no videos: {error}.") from error
    parts = [Part(one.variant, sane_media_type(one.media_type), one.b64_json) for one in found]
    parts.sort(key=lambda part: part.name != "video")
    if not parts or parts[0].name != "video" or not parts[0].body:
        raise ApiError(UPSTREAM_ERROR, "The service's answer holds no video.")
    return tuple(parts)


SPLITTERS: Final[Mapping[str, Callable[[bytes], tuple[Part, ...]]]] = {"videos": _variants}
