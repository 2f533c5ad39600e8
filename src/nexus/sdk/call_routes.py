"""`/v1/calls/{request id}`: how far a call is that waits or runs here, for whoever waits for its answer elsewhere."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from nexus.contract.errors import NOT_FOUND, ApiError
from nexus.sdk.answering import JSON, encode_json
from nexus.sdk.service import Service


def call_route(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """The handler. A call is known from its last byte in to its last byte out, by its `x-request-id`."""

    async def call(request: Request) -> Response:
        name = request.path_params["id"]
        running = service.calls.of(name)
        if running is None or running.call is None:
            raise ApiError(NOT_FOUND, f"no call {name!r} is running or waiting here")
        position = service.admission.position(running)
        told = {
            "id": name,
            "state": "queued" if position else "running",
            "position": position,
            "progress": running.call.progress.fraction,
            "message": running.call.progress.message,
        }
        return Response(encode_json(told), media_type=JSON)

    return call
