"""`POST /v1/models/{name}/pull`: a model fetched to the engine behind, its progress told as events."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from nexus.contract.errors import INTERNAL_ERROR, INVALID_REQUEST, NO_READY_SERVICE, ApiError
from nexus.sdk.admission import Admission
from nexus.sdk.answering import EVENTS
from nexus.sdk.calls import RunningCall
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.operations import read_request
from nexus.sdk.responder import Responder
from nexus.sdk.service import Service
from nexus.sdk.watching import CLIENT_GONE, ClientGoneError, stream, watch

AT_ONCE: Final = 4
LARGEST_BODY: Final = 64 * 1024
BODY_SECONDS: Final = 10.0
_NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,512}")
_ITEM: Final[Mapping[str, Any]] = {"status": "", "completed": None, "total": None, "digest": None}
_log: Final = logging.getLogger(__name__)


class PullApp:
    """The ASGI application of the verb. A pull takes as long as it takes; it ends when its caller leaves."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._admission = Admission(AT_ONCE, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        respond = Responder(send)
        with self._service.metrics.request("models.pull") as outcome:
            try:
                await self._serve(scope, receive, respond)
            except ApiError as error:
                await respond.error(error)
            except ClientGoneError:
                outcome.status = CLIENT_GONE
                return
            outcome.status = respond.outcome or CLIENT_GONE

    async def _serve(self, scope: Scope, receive: Receive, respond: Responder) -> None:
        name: str = scope["path_params"]["id"]
        if not _NAME.fullmatch(name):
            raise ApiError(INVALID_REQUEST, "model: a name of 1 to 512 characters without blanks", param="model")
        engine = self._service.engine
        if engine is None or self._service.keeper is None:
            raise ApiError(NO_READY_SERVICE, "the service is starting", retry_after=2)
        received = await read_request(scope, receive, LARGEST_BODY, BODY_SECONDS)
        running = RunningCall()
        running.call = Call(scope["state"]["request_id"], Model(name), received.headers)
        self._service.calls.add(running, asyncio.create_task(self._work(engine, name, running.call, respond)))
        await watch(running, receive, respond, None)

    async def _work(self, engine: Engine, name: str, call: Call, respond: Responder) -> None:
        async with self._admission.place():
            try:
                await stream(_whole(engine.pull(name, call)), respond, lambda _: EVENTS)
                await self._service.look()
                await respond.end(done_marker=True)
            except ApiError as error:
                await respond.error(error)
            except Exception:  # noqa: BLE001 - an engine may raise anything; the caller is told no more than that it failed
                _log.exception("the engine failed", extra={"operation": "models.pull", "model": name})
                await respond.error(ApiError(INTERNAL_ERROR, f"the engine failed to pull {name!r}"))


async def _whole(items: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """The items with every field that they have by the contract."""
    try:
        async for item in items:
            yield {**_ITEM, **item}
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
