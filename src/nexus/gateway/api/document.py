"""/v1/admin/openapi.json: what the administrator can ask for, described in OpenAPI 3.1 for programs that read that."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.routing import BaseRoute

from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.middleware import administrator

ADMIN: Final = "/v1/admin"
DOCUMENT: Final = f"{ADMIN}/openapi.json"
_METHODS: Final = ("get", "put", "post", "patch", "delete")


class _Told(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class _Envelope(BaseModel):
    """Every error, whatever its status."""

    error: _Told


def document_routes(routes: Callable[[], Sequence[BaseRoute]]) -> APIRouter:
    """`routes` gives all that there are, when the document is asked for."""
    router = APIRouter()

    @router.get(DOCUMENT)
    async def document(request: Request) -> Response:
        administrator(request)
        return json_answer(describe(routes()))

    return router


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document of those that are the administrator's."""
    told = get_openapi(title="Nexus: administration", version=version("nexus-gateway"), routes=routes)
    told["paths"] = {path: one for path, one in told["paths"].items() if path.startswith(f"{ADMIN}/")}
    parts = told.setdefault("components", {})
    parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    schema = _Envelope.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = {name: one for name, one in parts.get("schemas", {}).items() if "ValidationError" not in name}
    parts["schemas"] = {**schemas, **schema.pop("$defs"), "Error": schema}
    told["security"] = [{"bearer": []}]
    for operations in told["paths"].values():
        for method in _METHODS:
            if method in operations:
                _with_errors(operations[method]["responses"])
    return told


def _with_errors(responses: dict[str, Any]) -> None:
    """FastAPI's own description of what is not valid makes room for the envelope of all errors."""
    responses.pop("422", None)
    schema = {"$ref": "#/components/schemas/Error"}
    responses["default"] = {"description": "An error", "content": {"application/json": {"schema": schema}}}
