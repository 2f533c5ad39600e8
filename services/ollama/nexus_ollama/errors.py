"""What Ollama's errors mean to a caller: `{"error": "text"}`, as an answer or as a line inside a 200 stream."""

import json
from typing import Final

from nexus.contract.errors import (
    INVALID_REQUEST,
    MODEL_NOT_FOUND,
    OVERLOADED,
    RATE_LIMIT_EXCEEDED,
    REQUEST_TOO_LARGE,
    UPSTREAM_ERROR,
    ApiError,
)

_BUSY: Final = "maximum pending requests exceeded"
_PARAMS: Final = {
    "does not support tools": "tools",
    "does not support thinking": "reasoning_effort",
    "think value": "reasoning_effort",
    "does not support chat": "model",
    "does not support generate": "model",
    "does not support embed": "model",
    "does not support insert": "suffix",
    "top_logprobs": "top_logprobs",
    "format": "response_format",
}
_AS_TOLD: Final = {kind.status: kind for kind in (INVALID_REQUEST, REQUEST_TOO_LARGE, RATE_LIMIT_EXCEEDED)}
_LONGEST: Final = 500


def invalid(message: str, param: str) -> ApiError:
    """A 400 that names the offending part."""
    return ApiError(INVALID_REQUEST, message, param=param)


def explain(status: int, body: bytes) -> ApiError:
    """The error of an answer that is not 2xx."""
    return refusal(status, _told(body) or f"Ollama answered {status}")


def broken(reason: str) -> ApiError:
    """The error of an answer that is none: cut, or not of the shape that Ollama's have."""
    return ApiError(UPSTREAM_ERROR, f"Ollama's answer cannot be used: {reason}")


def refusal(status: int, told: str) -> ApiError:
    """The error for Ollama's words; those inside a stream come with the status 500, whatever they are about."""
    told = " ".join(told.split())[:_LONGEST]
    if _BUSY in told:
        return ApiError(OVERLOADED, f"Ollama's queue is full: {told}", retry_after=2)
    if "exceed" in told and "context length" in told:
        return ApiError(INVALID_REQUEST, told, code="context_length_exceeded")
    if status == MODEL_NOT_FOUND.status or (told.startswith("model ") and "not found" in told):
        return ApiError(MODEL_NOT_FOUND, told, param="model")
    if status in _AS_TOLD:
        param = next((_PARAMS[words] for words in _PARAMS if words in told), None)
        return ApiError(_AS_TOLD[status], told, param=param, retry_after=2 if status == 429 else None)
    return ApiError(UPSTREAM_ERROR, f"Ollama failed: {told}")


def _told(body: bytes) -> str:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body[:_LONGEST].decode("utf-8", "replace")
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, str) else ""
