"""`/v1/models`: the models in OpenAI's shape with Nexus' states, and the verbs that load, unload and delete them."""

import asyncio
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from nexus.contract.card import Model
from nexus.contract.errors import MODEL_NOT_FOUND, NO_READY_SERVICE, UPSTREAM_ERROR, UPSTREAM_TIMEOUT, ApiError
from nexus.sdk.answering import JSON, encode_json
from nexus.sdk.keeper import Keeper
from nexus.sdk.roster import Resident
from nexus.sdk.service import Service

OWNER: Final = "nexus"
SHOW_SECONDS: Final = 5.0


class ModelRoutes:
    """The handlers. `created` is the time at which this process started, in whole seconds since 1970."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._created = int(time.time())

    async def every(self, _: Request) -> Response:
        """The list; before the engine is there, what the manifest promises."""
        models = [self._told(model) for model in self._service.card().models]
        return _json({"object": "list", "data": models})

    async def one(self, request: Request) -> Response:
        """One model by id or alias, with what the engine has to say of it."""
        name = request.path_params["id"]
        for model in self._service.card().models:
            if name == model.id or name in model.aliases:
                return _json({**await self._shown(model.id), **self._told(model)})
        raise _unknown(name)

    async def load(self, request: Request) -> Response:
        """Load the model, and answer when it is ready. 502 with the reason when it cannot be loaded."""
        keeper, resident = self._resident(request)
        await keeper.load(resident)
        if resident.state != "ready":
            raise _failed(resident)
        return _json({"id": resident.id, "state": resident.state})

    async def unload(self, request: Request) -> Response:
        """Unload the model once its running calls have ended, and answer then."""
        keeper, resident = self._resident(request)
        await keeper.unload(resident)
        if resident.told is not None and resident.state == "failed":
            raise _failed(resident)
        return _json({"id": resident.id, "state": resident.state})

    async def delete(self, request: Request) -> Response:
        """Remove the model from the engine's disk; 404 where the engine has no such verb."""
        _, resident = self._resident(request)
        assert self._service.engine is not None  # noqa: S101 - a keeper has one
        await self._service.engine.delete(resident.model)
        await self._service.look()
        return _json({"id": resident.id, "object": "model", "deleted": True})

    async def _shown(self, name: str) -> dict[str, Any]:
        """What the engine says of a model, where it can be asked."""
        engine, resident = self._service.engine, self._service.roster.named(name)
        if engine is None or resident is None or self._service.roster.outage is not None:
            return {}
        try:
            async with asyncio.timeout(SHOW_SECONDS):
                return dict(await engine.show(resident.model))
        except TimeoutError as error:
            message = f"the engine did not tell of {name!r} within {SHOW_SECONDS:g} seconds"
            raise ApiError(UPSTREAM_TIMEOUT, message) from error

    def _resident(self, request: Request) -> tuple[Keeper, Resident]:
        if self._service.keeper is None:
            raise ApiError(NO_READY_SERVICE, "the service is starting", retry_after=2)
        self._service.roster.reachable()
        resident = self._service.roster.named(request.path_params["id"])
        if resident is None:
            raise _unknown(request.path_params["id"])
        return self._service.keeper, resident

    def _told(self, model: Model) -> dict[str, Any]:
        card = model.model_dump(mode="json")
        return {"id": model.id, "object": "model", "created": self._created, "owned_by": OWNER, **card}


def _unknown(name: str) -> ApiError:
    return ApiError(MODEL_NOT_FOUND, f"the model {name!r} does not exist", param="model")


def _failed(resident: Resident) -> ApiError:
    return ApiError(UPSTREAM_ERROR, f"the model {resident.id!r} is {resident.state}: {resident.reason}")


def _json(value: dict[str, Any]) -> Response:
    return Response(encode_json(value), media_type=JSON)
