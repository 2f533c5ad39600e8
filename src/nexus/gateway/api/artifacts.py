"""/v1/artifacts: what calls have made, for whoever knows the URL."""

from fastapi import APIRouter, Request, Response

from nexus.contract.errors import NOT_FOUND, ApiError
from nexus.gateway.api.content import file_answer
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.artifacts import PREFIX
from nexus.gateway.names import is_shown


def artifact_routes(parts: ApiParts) -> APIRouter:
    """One artifact; the name behind its id is for people and says nothing."""
    router = APIRouter()

    @router.get(PREFIX + "{identity}")
    @router.get(PREFIX + "{identity}/{filename}")
    async def get_artifact(request: Request, identity: str) -> Response:
        opened = await parts.store.opened()
        artifact = await opened.files.find(identity, "artifact")
        if artifact is None:
            raise ApiError(NOT_FOUND, "There is no such artifact, or it has expired.")
        return await file_answer(request, opened, artifact, inline=is_shown(artifact.media_type))

    return router
