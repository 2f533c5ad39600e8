"""What pydantic complains about, told to a client: the place in its request as it would write it, and why."""

from typing import Any

from pydantic import ValidationError

from nexus.contract.errors import INVALID_REQUEST, ApiError


def refusal(error: ValidationError, value: Any) -> ApiError:
    """The first complaint about `value`, its path written as clients write it: `messages[0].content`."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = _path(first["loc"], value, missing=first["type"] == "missing")
    reason = first["msg"].removeprefix("Value error, ")
    return ApiError(INVALID_REQUEST, f"{path or 'body'}: {reason}", param=path or None)


def _path(location: tuple[int | str, ...], value: Any, missing: bool) -> str:
    """The place in the body, without the parts that only pydantic knows: which member of a union it tried.

    `missing` says that the last part is a field that is not there.
    """
    path = ""
    for position, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            value = value[part] if isinstance(value, list | tuple) and part < len(value) else None
        elif isinstance(value, dict) and (part in value or (missing and position == len(location) - 1)):
            path += f".{part}"
            value = value.get(part)
    return path.lstrip(".")
