"""What an engine's refusal means to a caller: its status and body as an error of the family, in the engine's words."""

import json
from collections.abc import Mapping
from typing import Any, Final

from nexus.contract.errors import (
    CONFLICT,
    INSUFFICIENT_STORAGE,
    INVALID_REQUEST,
    MODEL_NOT_FOUND,
    OVERLOADED,
    RATE_LIMIT_EXCEEDED,
    REQUEST_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    UPSTREAM_ERROR,
    UPSTREAM_TIMEOUT,
    ApiError,
    ErrorKind,
)

RETRY_AFTER: Final = 2.0
_LONGEST: Final = 1000
_KINDS: Final[Mapping[int, ErrorKind]] = {
    400: INVALID_REQUEST,
    408: UPSTREAM_TIMEOUT,
    409: CONFLICT,
    413: REQUEST_TOO_LARGE,
    415: UNSUPPORTED_MEDIA_TYPE,
    422: INVALID_REQUEST,
    429: RATE_LIMIT_EXCEEDED,
    503: OVERLOADED,
    504: UPSTREAM_TIMEOUT,
    507: INSUFFICIENT_STORAGE,
}


def explain(status: int, body: bytes) -> ApiError:
    """The error of an answer with a status that is no success.

    What the caller did wrong, or may try again, stays what it is. A 404 is the caller's where the engine speaks of a
    model, and 502 otherwise, for the caller chose no path; so is all else, wrong credentials for instance.
    """
    message, param = engine_message(body)
    if status == 404 and "model" in message.lower():
        return ApiError(MODEL_NOT_FOUND, message, param="model")
    kind = _KINDS.get(status, UPSTREAM_ERROR)
    if kind is UPSTREAM_ERROR:
        return ApiError(kind, f"the engine answered with status {status}{message and f': {message}'}")
    retry_after = RETRY_AFTER if status in (429, 503) else None
    return ApiError(kind, message or f"the engine answered with status {status}", param=param, retry_after=retry_after)


def engine_message(body: bytes) -> tuple[str, str | None]:
    """The message in an error's body, in one line, and the parameter that it names; "" and None where there is none.

    Known are OpenAI's envelope, `{"error": "…"}`, `{"message": "…"}`, FastAPI's `{"detail": …}` and plain text.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ("", None) if text.startswith("<") else (_one_line(text), None)
    if not isinstance(value, dict):
        return (_one_line(value), None) if isinstance(value, str) else ("", None)
    told = next((value[word] for word in ("error", "detail", "message") if value.get(word)), "")
    if isinstance(told, list):  # FastAPI's complaints about a request: the first of them
        told = told[0]
    if not isinstance(told, dict):
        return _one_line(told), None
    words = next((told[word] for word in ("message", "msg", "error") if told.get(word)), "")
    return _one_line(words), _param(told)


def _param(told: Mapping[str, Any]) -> str | None:
    if isinstance(told.get("param"), str):
        return str(told["param"]) or None
    place = told.get("loc")
    if isinstance(place, list):
        return ".".join(str(part) for part in place if part != "body") or None
    return None


def _one_line(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
