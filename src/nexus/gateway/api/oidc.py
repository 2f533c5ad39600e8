"""/v1/session/oidc: to the issuer who vouches for users, and back."""

import hmac
import re
import time
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from nexus.contract.errors import NOT_FOUND, OVERLOADED, PERMISSION_DENIED, ApiError
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.session import people_of, with_session
from nexus.gateway.edge.auth import digest
from nexus.gateway.users.cookies import new_id
from nexus.gateway.users.people import Issuer, People

OIDC: Final = "/v1/session/oidc"
CALLBACK: Final = "/v1/session/oidc/callback"
_SECONDS: Final = 600.0  # that a sign-in may take there
_Text = Annotated[str | None, Query(max_length=4096)]


def oidc_routes(parts: ApiParts) -> APIRouter:
    """Both are for browsers, and answer with a redirection."""
    router = APIRouter()

    @router.get(OIDC)
    async def begin(request: Request) -> Response:
        people, issuer = _issuer_of(parts)
        secret = new_id()
        url = await issuer.provider.authorization_url(secret, _back(parts, request))
        opened = await parts.store.opened()
        state = issuer.state_of(secret)
        if not await opened.sessions.begin_sign_in(digest(state), time.time() + _SECONDS):
            raise ApiError(OVERLOADED, "Too many sign-ins are under way just now.", retry_after=60.0)
        answer = _to(url)
        answer.headers.append("set-cookie", people.visitors.cookies.set_sign_in(secret, _SECONDS))
        return answer

    @router.get(CALLBACK)
    async def come_back(
        request: Request, code: _Text = None, state: _Text = None, error: _Text = None, iss: _Text = None
    ) -> Response:
        people, issuer = _issuer_of(parts)
        cookies, fields = people.visitors.cookies, dict(request.scope["headers"])
        secret = cookies.sign_in(fields.get(b"cookie"))
        await _expected(parts, issuer, secret, state)
        if error is not None or code is None or not secret:
            reason = re.sub(r"[^a-z_]", "", error or "no code")[:40]
            raise _refused(f"{issuer.provider.settings.issuer} did not let you in ({reason}).")
        if iss is not None and iss != issuer.provider.settings.issuer:  # RFC 9207
            raise _refused("It is another issuer that you come back from.")
        claims = await issuer.provider.claims(secret, code, _back(parts, request))
        user = await issuer.vouched.user(claims)
        session = await people.sign_ins.begin(user, cookies.session(fields.get(b"cookie")))
        answer = with_session(people, session, _to("/"))
        answer.headers.append("set-cookie", cookies.set_sign_in("", 0))
        return answer

    return router


async def _expected(parts: ApiParts, issuer: Issuer, secret: str | None, state: str | None) -> None:
    """Raises ApiError (403) for a state that this browser did not begin with, or that was brought back before."""
    if secret is None or state is None or not hmac.compare_digest(state.encode(), issuer.state_of(secret).encode()):
        raise _refused("This sign-in did not begin in this browser, or too long ago: begin it anew.")
    opened = await parts.store.opened()
    if not await opened.sessions.finish_sign_in(digest(state)):
        raise _refused("This sign-in has ended already, or began too long ago: begin it anew.")


def _issuer_of(parts: ApiParts) -> tuple[People, Issuer]:
    people = people_of(parts)
    if people.issuer is None:
        message = "Nobody else vouches for users here: NEXUS_OIDC_ISSUER says who does."
        raise ApiError(NOT_FOUND, message, code="oidc_off")
    return people, people.issuer


def _back(parts: ApiParts, request: Request) -> str:
    """Where the issuer sends a browser back to; it must know that URL."""
    return parts.base_url(dict(request.scope["headers"]).get(b"host", b"")) + CALLBACK


def _to(url: str) -> Response:
    return RedirectResponse(url, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _refused(message: str) -> ApiError:
    return ApiError(PERMISSION_DENIED, message, code="sign_in_refused")
