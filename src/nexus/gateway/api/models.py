"""/v1/models: every name that a client can give as `model`, in OpenAI's shape."""

from typing import Any

from fastapi import APIRouter, Response

from nexus.contract.errors import MODEL_NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.catalogue import Entry, catalogue
from nexus.gateway.api.near import did_you_mean
from nexus.gateway.api.parts import ApiParts


def model_routes(parts: ApiParts) -> APIRouter:
    """The list and the single model. What OpenAI's shape has no place for is under `nexus`."""
    router = APIRouter()

    def entries() -> dict[str, Entry]:
        return catalogue(parts.registry.snapshot, parts.config().aliases)

    @router.get("/v1/models")
    async def list_models() -> Response:
        return json_answer({"object": "list", "data": [_shown(entry, parts) for entry in entries().values()]})

    @router.get("/v1/models/{model_id:path}")
    async def get_model(model_id: str) -> Response:
        known = entries()
        if model_id not in known:
            raise ApiError(
                MODEL_NOT_FOUND,
                f"The model {model_id!r} does not exist.{did_you_mean(model_id, known)}",
                param="model",
            )
        return json_answer(_shown(known[model_id], parts))

    return router


def _shown(entry: Entry, parts: ApiParts) -> dict[str, Any]:
    return {
        "id": entry.id,
        "object": "model",
        "created": int(parts.started),
        "owned_by": entry.services[0],
        "nexus": {
            "state": entry.state,
            "on_demand": entry.on_demand,
            "operations": entry.operations,
            "context_length": entry.context_length,
            "services": entry.services,
            "aliases": entry.aliases,
            "alias_of": entry.alias_of,
        },
    }
