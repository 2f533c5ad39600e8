"""How control-plane routes answer: JSON made by msgspec, and every error in the one envelope."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from nexus.contract.errors import INVALID_REQUEST, METHOD_NOT_ALLOWED, NOT_FOUND, ApiError, kind_of_status
from nexus.gateway.log import Log
from nexus.gateway.storage import refusal
from nexus.store.errors import StoreError

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def json_answer(value: Any, status: int = 200) -> Response:
    """An answer with `value` as JSON; `msgspec.Raw` parts go in as they are."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def private(answer: Response) -> Response:
    """An answer that nobody may keep."""
    answer.headers["cache-control"] = "no-store"
    return answer


def page_of(items: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    """A page as OpenAI writes one."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": more,
    }


def error_answer(error: ApiError) -> Response:
    """An error's envelope with its status and headers."""
    return Response(error.body(), error.status, error.headers(), media_type="application/json")


def install_envelopes(app: FastAPI, log: Log) -> None:
    """Have all that ends a request early told in the envelope: errors of ours, the router, validation, the storage."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)  # noqa: S101 - Starlette calls a handler with its class only
        return error_answer(error)

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        answer = error_answer(_of_router(request, error))
        answer.headers.update(error.headers or {})
        if error.status_code == 405:
            answer.headers["allow"] = ", ".join(_allowed(app.router.routes, request.scope))
        return answer

    async def validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return error_answer(ApiError(INVALID_REQUEST, "The body is not JSON."))
        where = ".".join(str(part) for part in first["loc"][1:])
        message = first["msg"].removeprefix("Value error, ")
        return error_answer(ApiError(INVALID_REQUEST, f"{where or 'The body'}: {message}", param=where or None))

    async def storage(_: Request, error: Exception) -> Response:
        assert isinstance(error, StoreError)  # noqa: S101
        log("error", "storage_failed", reason=str(error))
        return error_answer(refusal(error))

    app.add_exception_handler(ApiError, ours)
    app.add_exception_handler(StoreError, storage)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(RequestValidationError, validation)


def _allowed(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """The methods that a path is there for: each route knows its own alone, and the router tells the first one's."""
    return [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def _of_router(request: Request, error: HTTPException) -> ApiError:
    what = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return ApiError(NOT_FOUND, f"There is nothing at {what}.")
    if error.status_code == 405:
        return ApiError(METHOD_NOT_ALLOWED, f"{what} is not possible: another method is needed.")
    return ApiError(kind_of_status(error.status_code), str(error.detail))
