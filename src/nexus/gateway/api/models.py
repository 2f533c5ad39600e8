"""/v1/models: every name that a client can give as `model`, in OpenAI's shape."""

from typing import Any

from fastapi import APIRouter, Request, Response

from nexus.contract.errors import MODEL_NOT_FOUND, PERMISSION_DENIED, ApiError
from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.catalogue import Entry, catalogue
from nexus.gateway.api.middleware import bearer_of
from nexus.gateway.api.near import did_you_mean
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.virtual import with_virtual
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer


def model_routes(parts: ApiParts) -> APIRouter:
    """The list and the single model. What OpenAI's shape has no place for is under `nexus`."""
    router = APIRouter()

    def entries(bearer: Bearer, policy: Policy | None) -> dict[str, Entry]:
        config = parts.config()
        return with_virtual(catalogue(parts.views.of(policy), config.aliases), config.routes, bearer)

    @router.get("/v1/models")
    async def list_models(request: Request) -> Response:
        bearer = bearer_of(request)
        known = entries(bearer, bearer.policy)
        return json_answer({"object": "list", "data": [_shown(entry, parts) for entry in known.values()]})

    @router.get("/v1/models/{model_id:path}")
    async def get_model(request: Request, model_id: str) -> Response:
        bearer = bearer_of(request)
        known = entries(bearer, bearer.policy)
        if model_id not in known:
            if model_id in entries(bearer, None):
                raise ApiError(
                    PERMISSION_DENIED, f"The token {bearer.name!r} may not use the model {model_id!r}.", param="model"
                )
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
