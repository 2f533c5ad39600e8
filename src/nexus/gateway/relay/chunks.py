"""The events of a streamed chat or text completion: told apart in bytes, checked, and read as far as recovery needs.

A chunk is OpenAI's: a JSON object with `choices`, each of which brings the next piece of its answer in `delta` (chat)
or in `text` (completions). `data: [DONE]` is the last event. Engines put comments between.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from nexus.contract.sse import DONE

_EVENT_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_FINAL_CODES: Final = frozenset(("context_length_exceeded", "content_policy_violation", "content_filter"))
_FINAL_TYPES: Final = frozenset(("invalid_request_error", "invalid_request", "BadRequestError"))
_PASSING: Final = (408, 409, 425, 429)  # statuses of a refusal that another one need not repeat


class _Peek(msgspec.Struct):
    error: Any = None


_peek = msgspec.json.Decoder(_Peek).decode


def is_plain(data: bytes) -> bool:
    """True for the usual piece of a stream: one sound event, with nothing in it to be looked at."""
    if not data.startswith(b"data: {") or not _is_one_line(data):
        return False
    if not data.isascii() and not _is_text(data):
        return False
    try:
        return not _peek(data[6:-2]).error
    except (msgspec.MsgspecError, RecursionError):
        return False


def events_in(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each event of `data`, which ends where one ends: its own bytes, and what it tells (nothing, for a comment)."""
    start = 0
    for match in _EVENT_END.finditer(data):
        raw = data[start : match.end()]
        start = match.end()
        yield raw, payload_of(raw)


def payload_of(event: bytes) -> bytes:
    """The event's `data`, its lines joined; empty where it has none."""
    if event.startswith(b"data: ") and _is_one_line(event):
        return event[6:-2]
    told = [line[5:].removeprefix(b" ") for line in _LINE_END.split(event) if line.startswith(b"data:")]
    return b"\n".join(told)


def value_of(payload: bytes) -> dict[str, Any] | None:
    """The object that a payload tells; None for one that is malformed."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _lenient(payload)
    return value if isinstance(value, dict) else None


def _lenient(payload: bytes) -> Any:
    """Halves of surrogate pairs are no text, but clients read them."""
    try:
        return json.loads(payload.decode())
    except (ValueError, RecursionError):
        return None


def is_done(payload: bytes) -> bool:
    """True for the payload of the event that says that the stream is whole."""
    return payload.strip() == DONE


def is_final(error: Any) -> bool:
    """True if an error that a service told in its stream is the request's own fault: nobody else is asked then."""
    if not isinstance(error, dict):
        return False
    code = error.get("code")
    if isinstance(code, int):
        return 400 <= code < 500 and code not in _PASSING
    return code in _FINAL_CODES or error.get("type") in _FINAL_TYPES


def encoded(value: dict[str, Any]) -> bytes:
    """One chunk as an event."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _is_one_line(event: bytes) -> bool:
    return event.find(b"\n") == len(event) - 2 and event.endswith(b"\n\n")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
