"""Around every control-plane request: its id, one record, guard and token, and the envelope for what nobody foresaw."""

import time
import traceback
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus.contract.errors import INTERNAL_ERROR, INVALID_REQUEST, PERMISSION_DENIED, ApiError
from nexus.contract.roles import ADMIN, VIEWER
from nexus.gateway.allowlist import METRICS
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.artifacts import PREFIX as ARTIFACTS
from nexus.gateway.edge.auth import ADMINISTRATOR, check_address
from nexus.gateway.edge.guard import Guard
from nexus.gateway.edge.identity import request_id
from nexus.policies.token import Bearer

_OPEN: Final = frozenset({"/health", "/readyz", "/v1/registry"})
"""Paths without the clients' token: probes have none, and /v1/registry has a secret of its own.

Those of artifacts are open too: such a URL is a secret itself.
"""

_SIGNING_IN: Final = "/v1/session"
"""Open are what is below it, and POST; all of it where there are no users: to say so."""

_READING: Final = frozenset({"GET", "HEAD"})
_OWN: Final = ("/v1/session", "/v1/me/")
"""What everybody who is signed in may do for themselves."""


class Recorded:
    """Gives each request its id, answers faults with a 500 envelope, and records each request once.

    HEAD is asked of the routes as GET; the server leaves out the body, and so may a route (`is_head`).
    """

    def __init__(self, app: ASGIApp, parts: ApiParts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        identity = request_id(_header(scope, b"x-request-id"))
        head = scope["method"] == "HEAD"
        state = {**scope.get("state", {}), "head": head, "request_id": identity}
        inner = dict(scope, method="GET" if head else scope["method"], state=state)
        status = 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode())]
            await send(message)

        try:
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:  # no name has one, and PostgreSQL takes none
                await send_error(tell, ApiError(INVALID_REQUEST, "The request's target holds a NUL."))
                return
            await self._app(inner, receive, tell)
        except ClientDisconnect:
            pass  # there is nobody to tell
        except Exception as error:  # noqa: BLE001 - whatever a route failed to foresee, the client gets the envelope
            self._parts.log(
                "error", "request_failed", request_id=identity, reason=str(error), trace=traceback.format_exc()
            )
            if status == 0:
                await send_error(tell, ApiError(INTERNAL_ERROR, "The gateway failed to answer this request."))
        finally:
            route = inner.get("route")
            self._parts.record(
                method=scope["method"],
                path=getattr(route, "path", "unmatched"),
                status=status or 499,  # the client left before there was an answer
                seconds=time.perf_counter() - started,
                request_id=identity,
            )


class Guarded:
    """Refuses what may not knock at all, before any token is looked at."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = scope["headers"]
            try:
                self._guard.check(scope["path"], scope["client"], headers, dict(headers))
            except ApiError as error:
                await send_error(send, error)
                return
        await self._app(scope, receive, send)


class Authenticated:
    """Lets a request pass that carries a known token or comes from who is signed in, or that needs neither.

    Routes ask `caller` whose it is.
    """

    def __init__(self, app: ASGIApp, parts: ApiParts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_open(scope):
            try:
                bearer = await self._bearer(scope)
                check_address(bearer, self._parts.guard.source(scope["client"], scope["headers"]))
            except ApiError as error:
                await send_error(send, error)
                return
            scope["state"]["bearer"] = bearer
            self._parts.tokens.used[bearer.name] = time.time()
        await self._app(scope, receive, send)

    async def _bearer(self, scope: Scope) -> Bearer:
        """Who asks: a token, if there is one, else whose browser it is. Raises ApiError (401, 403)."""
        authorization, people = _header(scope, b"authorization"), self._parts.people
        if authorization is None and people is not None:
            fields = dict(scope["headers"])
            session = people.visitors.cookies.session(fields.get(b"cookie"))
            if session is not None:
                if people.visitors.find(session) is None:
                    await self._parts.tokens.look()  # it may have begun at another gateway just now
                bearer = people.visitors.check(session, fields, proven=scope["method"] not in _READING)
                check_role(bearer, scope["method"], scope["path"])
                return bearer
        return self._parts.check_token(authorization)

    def _is_open(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in _OPEN or path.startswith(ARTIFACTS):
            return True
        if path.startswith(_SIGNING_IN) and (self._parts.people is None or path != _SIGNING_IN):
            return True
        if path == _SIGNING_IN and scope["method"] == "POST":
            return True
        headers = scope["headers"]
        return scope["path"] == METRICS and self._parts.guard.is_local(scope["client"], headers, dict(headers))


def check_role(bearer: Bearer, method: str, path: str) -> None:
    """Raises ApiError (403) for a viewer who would do more than look."""
    if bearer.role == VIEWER and method not in _READING and not path.startswith(_OWN):
        raise ApiError(PERMISSION_DENIED, "A viewer may look at lists, and change nothing.")


def bearer_of(request: Request) -> Bearer:
    """Who makes a request."""
    bearer: Bearer = request.state.bearer
    return bearer


def caller(request: Request) -> str:
    """The name of the token that a request came with."""
    return bearer_of(request).name


def administrator(request: Request) -> str:
    """The name of the administrator, who makes this request. Raises ApiError (403) for anybody else."""
    bearer = bearer_of(request)
    if not is_administrator(bearer):
        raise ApiError(PERMISSION_DENIED, "Only the administrator may do this.")
    return bearer.name


def is_administrator(bearer: Bearer) -> bool:
    """The administrator's token, or a user of that role who is signed in; tokens of such a user are not."""
    return bearer.name == ADMINISTRATOR or bearer.role == ADMIN


def whose(request: Request) -> str | None:
    """The token whose things a request may see: its own, or None for the administrator, who sees everybody's."""
    bearer = bearer_of(request)
    return None if is_administrator(bearer) else bearer.name


def identity_of(request: Request) -> str:
    """The id under which a request is known in headers and logs."""
    identity: str = request.state.request_id
    return identity


def is_head(request: Request) -> bool:
    """Whether only the head of the answer is wanted."""
    return bool(request.state.head)


async def send_error(send: Send, error: ApiError) -> None:
    """Answer with an error's envelope."""
    body = error.body()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers()}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)
