"""The control plane as one ASGI application."""

from fastapi import APIRouter, FastAPI, Request, Response

from nexus.gateway.api.answers import install_envelopes
from nexus.gateway.api.artifacts import artifact_routes
from nexus.gateway.api.audit import audit_routes
from nexus.gateway.api.document import document_routes
from nexus.gateway.api.files import file_routes
from nexus.gateway.api.jobs import job_routes
from nexus.gateway.api.me import me_routes
from nexus.gateway.api.middleware import Authenticated, Guarded, Recorded, bearer_of
from nexus.gateway.api.models import model_routes
from nexus.gateway.api.oidc import oidc_routes
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.registry import registry_routes
from nexus.gateway.api.routing import routing_routes
from nexus.gateway.api.services import service_routes
from nexus.gateway.api.session import session_routes
from nexus.gateway.api.status import status_routes
from nexus.gateway.api.tokens import token_routes
from nexus.gateway.api.union import union_card
from nexus.gateway.api.usage import usage_routes
from nexus.gateway.api.users import user_routes
from nexus.gateway.api.videos import video_routes


def create_api(parts: ApiParts) -> FastAPI:
    """Everything that clients ask of the gateway itself. It owns none of its parts: who made them closes them."""
    app = FastAPI(title="Nexus", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for routes in (
        status_routes,
        metadata_routes,
        model_routes,
        service_routes,
        registry_routes,
        file_routes,
        artifact_routes,
        job_routes,
        video_routes,
        token_routes,
        audit_routes,
        usage_routes,
        session_routes,
        oidc_routes,
        me_routes,
        user_routes,
        routing_routes,
    ):
        app.include_router(routes(parts))
    app.include_router(document_routes(lambda: app.routes))
    install_envelopes(app, parts.log)
    app.add_middleware(Authenticated, parts=parts)
    app.add_middleware(Guarded, guard=parts.guard)
    app.add_middleware(Recorded, parts=parts)  # the last one added is the outermost
    return app


def metadata_routes(parts: ApiParts) -> APIRouter:
    """The gateway's own card, as every service has one."""
    router = APIRouter()

    @router.get("/v1/metadata")
    async def metadata(request: Request) -> Response:
        card = union_card(
            parts.views.of(bearer_of(request).policy),
            parts.config().aliases,
            parts.config().routes,
            bearer_of(request),
            instance=parts.instance,
            max_request_bytes=parts.settings.max_request_bytes,
            region=parts.settings.region,
        )
        return Response(card.model_dump_json(), media_type="application/json")

    return router
