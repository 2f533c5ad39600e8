"""What is wrong with an answer, as far as its head and its first bytes tell. Pure.

Nothing of it has reached the client yet, so that a fault that is seen here may still be mended by another attempt.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from nexus.contract.usage import usage_in
from nexus.gateway.dispatch.retries import Kind, Trouble
from nexus.gateway.health.circuit import Failure
from nexus.gateway.upstream.connection import Answer
from nexus.gateway.upstream.head import BODILESS

HELD: Final = 1_048_576
"""Bytes of a JSON answer that are held until it is whole: nobody can use half of one, and a cut one may be mended."""

_ERROR: Final = b'"error"'
_REASON: Final = 65_536  # bytes of an error's body that are read for its code
_DATA: Final = re.compile(rb"(?:^|[\r\n])data:[ ]?([^\r\n]+)")
_TOO_LONG: Final = ("context_length_exceeded", "exceed_context_size_error")  # OpenAI's word, llama.cpp's
_TOO_LONG_TEXT: Final = re.compile(
    r"maximum context length|exceeds? the (?:available |model'?s )?context", re.IGNORECASE
)
_CLIENTS_OWN: Final = ("content_filter", "content_policy_violation", "invalid_request_error", *_TOO_LONG)
_JSON_ANSWERS: Final = (
    "chat.completions",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "rerank",
    "moderations",
    "images.generations",
    "images.edits",
    "images.variations",
    "ocr",
)
_ASKS_FOR_TIME: Final = (429, 503, 529)


def is_fine(answer: Answer) -> bool:
    """True for an answer that need not be looked at more closely, which is what nearly all of them are."""
    head, parts = answer.head, answer.parts
    if not parts or answer.failure or not head.is_good or parts[0].find(_ERROR, 0, 24) >= 0:
        return False
    if head.is_events:
        return parts[0].startswith(b"data: {")
    return answer.complete and head.is_json and _is_json(answer)


def _is_json(answer: Answer) -> bool:
    """Whether a whole answer is a JSON text; one that is too large to be held is not read. What it cost is noted."""
    body = b"".join(answer.parts)
    if len(body) > HELD:
        return True
    try:
        answer.usage = usage_in(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    answer.was_read = True
    return True


def has_begun(answer: Answer) -> bool:
    """Whether a byte of the answer proper has come: a stream's comments and empty events are none."""
    if not answer.parts:
        return False
    if not answer.head.is_events or answer.parts[0].startswith(b"data: {"):
        return True
    seen = b"".join(answer.parts)
    return _DATA.search(seen) is not None or len(seen) > _REASON


def wants_more(answer: Answer, kind: Kind) -> bool:
    """Whether more of it has to come before it can be told what it is."""
    head = answer.head
    if kind is Kind.OWN or answer.complete or answer.failure:
        return False
    size = sum(map(len, answer.parts))
    if head.status in (400, 413, 503):
        return size < _REASON
    return kind is Kind.AGAIN and head.is_json and head.status < 300 and max(size, answer.length or 0) <= HELD


def trouble_of(answer: Answer, operation: str, kind: Kind, wall: float) -> Trouble | None:
    """What is wrong with an answer that has begun, ended or failed; None: nothing, or nothing that concerns anyone
    but the client. `wall` are seconds since the epoch.
    """
    status = answer.head.status
    if answer.failure:
        failure = Failure.CLOSED if not answer.touched else Failure.CUT if answer.parts else Failure.BROKEN
        return Trouble(failure, f"{answer.failure}")
    if kind is Kind.OWN:
        return None
    if status >= 400:
        return _of_status(answer, status, wall)
    if not 200 <= status < 300 or status in BODILESS:
        return None
    return _of_success(answer, operation)


def _of_status(answer: Answer, status: int, wall: float) -> Trouble:
    code, message = _error_in(b"".join(answer.parts))
    return Trouble(
        Failure.STATUS,
        f"it answered {status}: {message}" if message else f"it answered {status}",
        status,
        code,
        retry_after(answer, wall) if status in _ASKS_FOR_TIME else None,
        status in (400, 413) and _is_too_long(code, message),
    )


def _of_success(answer: Answer, operation: str) -> Trouble | None:
    """What is wrong with an answer that calls itself one."""
    head = answer.head
    seen = b"".join(answer.parts)
    broken = _what_is_broken(answer, seen, operation)
    if broken:
        return Trouble(Failure.BROKEN, broken)
    if head.is_events:
        event = _DATA.search(seen)
        seen = event[1] if event else b""
    elif not (head.is_json and answer.complete):
        return None
    if seen.find(_ERROR, 0, 24) < 0:
        return None
    code, message = _error_in(seen)
    if not message:
        return None
    status = int(code) if code.isdecimal() and 400 <= int(code) < 600 else 400 if code in _CLIENTS_OWN else 0
    return Trouble(
        Failure.BROKEN,
        f"it answered {head.status} with an error: {message}",
        status,
        code,
        too_long=_is_too_long(code, message),
    )


def _what_is_broken(answer: Answer, seen: bytes, operation: str) -> str:
    """Why it is none of the kind that was asked for; empty where it may be one."""
    head = answer.head
    if head.media_type and not (head.is_events or b"json" in head.media_type):
        page = head.media_type.startswith(b"text/html")
        if page or operation in _JSON_ANSWERS:
            return f"it answered with {head.media_type.decode('latin-1')}"
    if answer.complete and not seen.strip():
        return "its answer is empty"
    if answer.complete and head.is_json and b"content-encoding:" not in head.forwarded.lower() and not _is_json(answer):
        return "its answer is not valid JSON"
    return ""


def _is_too_long(code: str, message: str) -> bool:
    return code in _TOO_LONG or _TOO_LONG_TEXT.search(message) is not None


class _Error(msgspec.Struct):
    message: str = ""
    code: str | int | None = None
    type: str | None = None


class _Envelope(msgspec.Struct):
    error: _Error | str | None = None


def _error_in(body: bytes) -> tuple[str, str]:
    """Code and message of an error's envelope; empty where it has none that can be read."""
    if len(body) > _REASON:
        return "", ""
    try:
        error = msgspec.json.decode(body, type=_Envelope).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    if not isinstance(error, _Error):
        return "", error or ""
    words = [str(word) for word in (error.code, error.type) if word]
    return next((word for word in words if word in _CLIENTS_OWN), words[0] if words else ""), error.message[:500]


def retry_after(answer: Answer, wall: float) -> float | None:
    """The seconds after which the service wants to be asked again: a number or a date; None where it says nothing."""
    for name, line in answer.head.lines():
        if name == b"retry-after":
            value = line.partition(b":")[2].strip().decode("latin-1")
            try:
                return max(0.0, float(value)) if value[:1].isdecimal() else _until(value, wall)
            except (ValueError, OverflowError):
                return None
    return None


def _until(date: str, wall: float) -> float:
    """Seconds until a date of HTTP. Raises ValueError, and OverflowError for numbers that no date has."""
    at = parsedate_to_datetime(date)
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - wall)
