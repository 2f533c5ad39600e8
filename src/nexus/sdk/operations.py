"""The operations over HTTP: one call from its first byte in to its last byte out, however it ends.

A call walks: body in (bounded) → request and model → place in the queue → the model loaded, where that is left to the
first call → model's lease → engine → answer. One task answers, another watches over it (`watching`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from nexus.contract.card import Endpoint
from nexus.contract.errors import INTERNAL_ERROR, REQUEST_TIMEOUT, REQUEST_TOO_LARGE, ApiError
from nexus.sdk.answering import Items, answer, encode_value, stream_type
from nexus.sdk.binding import BoundOperation
from nexus.sdk.calls import RunningCall
from nexus.sdk.deadline import seconds_left
from nexus.sdk.engine import Call
from nexus.sdk.requests import Received
from nexus.sdk.responder import Responder
from nexus.sdk.roster import Resident
from nexus.sdk.service import Service
from nexus.sdk.watching import CLIENT_GONE, ClientGoneError, stream, watch

_log: Final = logging.getLogger(__name__)


class OperationApp:
    """The ASGI application of one operation of `service`."""

    def __init__(self, service: Service, endpoint: Endpoint) -> None:
        self._service = service
        self._endpoint = endpoint
        self._limits = service.manifest.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        respond = Responder(send)
        with self._service.metrics.request(self._endpoint.operation) as outcome:
            try:
                await self._serve(scope, receive, respond)
            except ApiError as error:
                await respond.error(error)
            except ClientGoneError:
                outcome.status = CLIENT_GONE
                return
            outcome.status = respond.outcome or CLIENT_GONE

    async def _serve(self, scope: Scope, receive: Receive, respond: Responder) -> None:
        bound = self._service.bound(self._endpoint.operation)
        limits = self._limits
        received = await read_request(scope, receive, limits.max_request_bytes, limits.timeout_seconds)
        seconds = seconds_left(received.headers, limits.timeout_seconds)
        request, name = await bound.request.read(received)
        resident = self._service.roster.choose(name, bound.name)
        running = RunningCall()
        running.call = Call(scope["state"]["request_id"], resident.model, received.headers, self._service.asker.ask)
        work = self._work(bound, request, resident, running, respond)
        self._service.calls.add(running, asyncio.create_task(work))
        await watch(running, receive, respond, seconds)

    async def _work(
        self, bound: BoundOperation, request: Any, resident: Resident, running: RunningCall, respond: Responder
    ) -> None:
        assert running.call is not None  # noqa: S101 - made before this task
        async with self._service.admission.place(running):
            await self._service.prepare(running.call, resident)
            with self._service.roster.lease(resident, running):
                try:
                    value = await answer(bound.method, request, running.call, self._service.workers)
                    if isinstance(value, AsyncIterator):
                        await self._stream(bound, value, respond)
                    else:
                        await respond.whole(encode_value(value))
                except ApiError as error:
                    await respond.error(error)
                except Exception:  # noqa: BLE001 - an engine may raise anything; the caller is told no more than that it failed
                    _log.exception("the engine failed", extra={"operation": bound.name, "model": resident.id})
                    await respond.error(ApiError(INTERNAL_ERROR, f"the engine failed to answer {bound.name}"))

    async def _stream(self, bound: BoundOperation, items: Items, respond: Responder) -> None:
        endpoint = bound.endpoint
        await stream(items, respond, lambda first: stream_type(first, endpoint.streaming, endpoint.response_types))
        await respond.end(done_marker=bound.done_marker)


async def read_request(scope: Scope, receive: Receive, limit: int, seconds: float) -> Received:
    """The request with its whole body. Raises ApiError (408, 413) and ClientGoneError."""
    try:
        async with asyncio.timeout(seconds):
            return await _read(scope, receive, limit)
    except TimeoutError as error:
        raise ApiError(REQUEST_TIMEOUT, "the request's body did not come in time") from error


async def _read(scope: Scope, receive: Receive, limit: int) -> Received:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return Received(scope["method"], headers, b"".join(chunks), scope["query_string"].decode("latin-1"))


def _too_large(limit: int) -> ApiError:
    return ApiError(REQUEST_TOO_LARGE, f"the request's body is larger than {limit} bytes")
