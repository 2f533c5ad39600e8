"""What InvokeAI's refusals mean: `{"detail": text}`, or a list of what FastAPI did not take. Pure."""

import json
from typing import Any, Final

from nexus.contract.errors import (
    INVALID_REQUEST,
    NO_READY_SERVICE,
    OVERLOADED,
    UPSTREAM_ERROR,
    ApiError,
    kind_of_status,
)

_SAME: Final = (400, 413, 429, 503)
_UNAUTHORISED: Final = (401, 403)
_INPUTS: Final = {
    "cfg_scale": "guidance_scale",
    "steps": "steps",
    "seed": "seed",
    "width": "size",
    "height": "size",
    "denoising_start": "strength",
}


class AnsweredError(ApiError):
    """Any other answer than 2xx, with its status for whoever knows better what it means."""

    def __init__(self, answered: int, body: bytes) -> None:
        detail = _detail(body)
        self.answered = answered
        param = None
        if answered in _UNAUTHORISED:
            kind = NO_READY_SERVICE
            text = f"the engine wants another token in NEXUS_INVOKEAI_TOKEN (it answered {answered})"
        else:
            param = _input(detail)
            kind = kind_of_status(answered) if answered in _SAME else UPSTREAM_ERROR
            kind = INVALID_REQUEST if param else kind
            text = f"{param}: {_text(detail)}" if param else f"the engine answered {answered}: {_text(detail)}"
        super().__init__(kind, text, param=param)


def failed(reason: str, kind: str) -> ApiError:
    """The error for an item that failed while it ran."""
    if "OutOfMemory" in kind or "out of memory" in reason.lower():
        return ApiError(OVERLOADED, f"the engine ran out of memory: {reason}", retry_after=10)
    return ApiError(UPSTREAM_ERROR, f"the engine failed: {kind}: {reason}")


def _detail(body: bytes) -> Any:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return body[:300].decode("utf-8", "replace")
    return told.get("detail", told) if isinstance(told, dict) else told


def _text(detail: Any) -> str:
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        place = ".".join(_places(detail[0]))
        detail = f"{place}: {detail[0].get('msg')}"
    return " ".join(str(detail).split())[:300] or "nothing more"


def _input(detail: Any) -> str | None:
    """The request's parameter that a field of a node was made of."""
    if not isinstance(detail, list) or not detail or not isinstance(detail[0], dict):
        return None
    return next((_INPUTS[place] for place in reversed(_places(detail[0])) if place in _INPUTS), None)


def _places(complaint: dict[str, Any]) -> list[str]:
    """Where in the request it is, from the outside in."""
    told = complaint.get("loc")
    return [str(part) for part in told] if isinstance(told, list) else []
