"""What an upstream's errors mean to a caller, who knows nothing of the upstream's key and is not to pay for it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from nexus.contract.errors import BUDGET_EXCEEDED, UPSTREAM_ERROR, ApiError
from nexus.sdk import explaining
from nexus_openai_compatible.keys import without

_KEPT: Final = (400, 404, 413, 422, 429)


def explainer(name: str, key: str | None) -> Callable[[int, bytes], ApiError]:
    """Reads the errors of the upstream `name`; its key is never in what they say."""

    def explain(status: int, body: bytes) -> ApiError:
        if status == 401:
            # Its words may show pieces of the key.
            return ApiError(UPSTREAM_ERROR, f"{name} does not take the key that this service has")
        error = explaining.explain(status, body)
        message = without(error.message, key)
        if status == 402:
            return ApiError(BUDGET_EXCEEDED, f"{name} wants to be paid: {message}")
        code = _code(body) if status in _KEPT else None
        return ApiError(error.kind, message, param=error.param, code=code or error.code, retry_after=error.retry_after)

    return explain


def in_band(value: Mapping[str, Any], explain: Callable[[int, bytes], ApiError]) -> ApiError:
    """The error that an answer with the status 200, or an event of a stream, carries."""
    told = value.get("error")
    status = told.get("code") if isinstance(told, Mapping) else None
    if not isinstance(status, int) or not 400 <= status < 600:
        status = told.get("status") if isinstance(told, Mapping) else None
    known = status if isinstance(status, int) and 400 <= status < 600 else 500
    return explain(known, json.dumps({"error": told}).encode())


def _code(body: bytes) -> str | None:
    """The upstream's own code, more precise than the kind's."""
    try:
        value = json.loads(body)
        code = value["error"]["code"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) and 0 < len(code) <= 128 else None
