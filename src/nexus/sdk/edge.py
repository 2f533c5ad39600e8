"""What every request passes first and last: its id, its log line, and the envelope for what nobody else answered."""

import logging
import re
import time
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus.contract.errors import INTERNAL_ERROR, ApiError
from nexus.sdk.logs import request_id
from nexus.sdk.responder import Responder

HEADER: Final = b"x-request-id"
QUIET: Final = ("/health", "/readyz", "/metrics", "/v1/metadata")
_CALLS: Final = "/v1/calls/"
_SANE: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_log: Final = logging.getLogger(__name__)


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        found = choose_request_id(scope["headers"])
        token = request_id.set(found)
        started = time.perf_counter()
        status = 499

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (HEADER, found.encode())]}
            await send(message)

        scope.setdefault("state", {})["request_id"] = found
        try:
            await self._answer(scope, receive, send_with_id)
        finally:
            if status >= 500 or not _is_quiet(scope["path"]):
                seconds = round(time.perf_counter() - started, 6)
                extra = {"method": scope["method"], "path": scope["path"], "status": status, "seconds": seconds}
                _log.info("request", extra=extra)
            request_id.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception:  # noqa: BLE001 - the last place where a fault can become an answer
            _log.exception("a request failed", extra={"path": scope["path"]})
            if not begun:
                await Responder(send).error(ApiError(INTERNAL_ERROR, "the service failed"))


def _is_quiet(path: str) -> bool:
    """Whether the path is asked for again and again, and its requests tell nothing."""
    return path in QUIET or path.startswith(_CALLS)


def choose_request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's `x-request-id` if it sent a sane one, else a new one."""
    for name, value in headers:
        if name == HEADER and _SANE.fullmatch(value):
            return value.decode("ascii")
    return uuid.uuid4().hex
