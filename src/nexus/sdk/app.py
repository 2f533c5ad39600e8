"""The service's HTTP application: every path that it answers, in one visible table."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from nexus.contract.errors import INTERNAL_ERROR, METHOD_NOT_ALLOWED, NOT_FOUND, ApiError, kind_of_status
from nexus.sdk.answering import JSON, encode_json
from nexus.sdk.call_routes import call_route
from nexus.sdk.edge import Edge
from nexus.sdk.model_routes import ModelRoutes
from nexus.sdk.operations import OperationApp
from nexus.sdk.pulling import PullApp
from nexus.sdk.service import Service

Handler = Callable[[Request], Awaitable[Response]]
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def build_app(service: Service) -> ASGIApp:
    """The whole application of `service`: probes, models, operations, and the error envelope around them."""
    models = ModelRoutes(service)
    app = Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/readyz", _readyz(service), methods=["GET"]),
            Route("/metrics", _metrics(service), methods=["GET"]),
            Route("/v1/metadata", _metadata(service), methods=["GET"]),
            Route("/v1/models", models.every, methods=["GET"]),
            Route("/v1/models/{id:path}/load", models.load, methods=["POST"]),
            Route("/v1/models/{id:path}/unload", models.unload, methods=["POST"]),
            Route("/v1/models/{id:path}/pull", PullApp(service), methods=["POST"]),
            Route("/v1/models/{id:path}", models.one, methods=["GET"]),
            Route("/v1/models/{id:path}", models.delete, methods=["DELETE"]),
            Route("/v1/calls/{id:path}", call_route(service), methods=["GET"]),
            *(
                Route(endpoint.path, OperationApp(service, endpoint), methods=[endpoint.method])
                for endpoint in service.manifest.card_endpoints()
            ),
        ],
        exception_handlers={HTTPException: _http_error, ApiError: _api_error, Exception: _fault},
    )
    app.router.redirect_slashes = False
    return Edge(app)


async def _health(_: Request) -> Response:
    return Response(encode_json({"status": "ok"}), media_type=JSON)


def _readyz(service: Service) -> Handler:
    async def readyz(request: Request) -> Response:
        now = service.readiness()
        await service.probed(f"{request.client.host if request.client else ''} {request.headers.get('user-agent', '')}")
        body = {"status": now.status, "checks": dict(now.checks)}
        if now.ready:
            return Response(encode_json(body), media_type=JSON)
        return Response(encode_json({**body, "reason": now.reason}), 503, {"retry-after": "1"}, JSON)

    return readyz


def _metadata(service: Service) -> Handler:
    async def metadata(_: Request) -> Response:
        return Response(encode_json(service.card()), media_type=JSON)

    return metadata


def _metrics(service: Service) -> Handler:
    async def metrics(_: Request) -> Response:
        return Response(service.metrics.text(), media_type=METRICS_TYPE)

    return metrics


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) in the envelope."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    where = f"{request.method} {request.url.path}"
    if error.status_code == NOT_FOUND.status:
        told = ApiError(NOT_FOUND, f"there is no {where}")
    elif error.status_code == METHOD_NOT_ALLOWED.status:
        told = ApiError(METHOD_NOT_ALLOWED, f"{where}: this path is not for this method")
    else:
        told = ApiError(kind_of_status(error.status_code), error.detail)
    return Response(told.body(), told.status, error.headers, JSON)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for it alone
    return Response(error.body(), error.status, error.headers(), JSON)


async def _fault(_: Request, __: Exception) -> Response:
    """What Starlette answers before it hands the fault on to the edge, which logs it."""
    error = ApiError(INTERNAL_ERROR, "the service failed")
    return Response(error.body(), error.status, media_type=JSON)
