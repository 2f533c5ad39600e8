"""A service's error, told in the envelope whatever the service told it in."""

from typing import Any

import msgspec

from nexus.contract.errors import UPSTREAM_ERROR, ApiError, kind_of_status

LIMIT = 65_536  # bytes of an error's body that are read


def is_envelope(body: bytes) -> bool:
    """True if the body already is the envelope: an `error` object with a message."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    error = value.get("error") if isinstance(value, dict) else None
    return isinstance(error, dict) and isinstance(error.get("message"), str)


def complete_envelope(body: bytes) -> tuple[bytes, str]:
    """The envelope with all four of its fields, and its code (or type) as a word for the log."""
    value: dict[str, Any] = msgspec.json.decode(body)
    error = value["error"]
    missing = {key: None for key in ("type", "param", "code") if key not in error}
    word = error.get("code") or error.get("type") or ""
    if missing:
        body = msgspec.json.encode({**value, "error": {**error, **missing}})
    return body, str(word)


def translate(status: int, body: bytes, service: str) -> ApiError:
    """The error for an answer outside the envelope: a failed service is 502, a refused request keeps its status."""
    text = _said(body) or "no reason given"
    kind = UPSTREAM_ERROR if status >= 500 and status not in (503, 504) else kind_of_status(status)
    return ApiError(kind, f"{service} answered {status}: {text}")


def _said(body: bytes) -> str:
    """The message in other common shapes (`detail`, `error` as a string, `message`), else the text itself."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if isinstance(value, dict):
        for key in ("detail", "error", "message"):
            if value.get(key):
                said = value[key]
                return said if isinstance(said, str) else msgspec.json.encode(said).decode()[:500]
    return " ".join(body.decode("utf-8", "replace").split())[:500]
