"""/v1/session: signing in with name and password, who is signed in, and signing out."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from nexus.contract.errors import INVALID_REQUEST, NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer, private
from nexus.gateway.api.middleware import bearer_of, is_administrator
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.edge.visitors import Session
from nexus.gateway.shapes.users import Credentials
from nexus.gateway.users.cookies import csrf_token
from nexus.gateway.users.people import People
from nexus.policies.networks import Address
from nexus.store.rows import BEARER_PREFIX

SESSION: Final = "/v1/session"


def session_routes(parts: ApiParts) -> APIRouter:
    """Without users, all of it is 404."""
    router = APIRouter()

    @router.post(SESSION)
    async def sign_in(request: Request, credentials: Credentials) -> Response:
        people = people_of(parts)
        fields = dict(request.scope["headers"])
        people.visitors.check_origin(fields)
        user = await people.sign_ins.check(credentials.name, credentials.password, source_of(parts, request))
        before = people.visitors.cookies.session(fields.get(b"cookie"))
        session = await people.sign_ins.begin(user, before)
        found = people.visitors.find(session)
        return with_session(people, session, json_answer(_shown(session, found)))

    @router.get(SESSION)
    async def whoami(request: Request) -> Response:
        people = people_of(parts)
        session = session_of(people, request)
        if session is None:
            bearer = bearer_of(request)
            role = "admin" if is_administrator(bearer) else None
            return json_answer({"object": "session", "user": None, "token": bearer.name, "role": role})
        return private(json_answer(_shown(session, people.visitors.find(session))))

    @router.delete(SESSION)
    async def sign_out(request: Request) -> Response:
        people = people_of(parts)
        session = session_of(people, request)
        if session is None:
            raise ApiError(INVALID_REQUEST, "This request came with a token: there is no session to be ended.")
        await people.sign_ins.end(session)
        return with_session(people, "", json_answer({"object": "session", "deleted": True}))

    return router


def people_of(parts: ApiParts) -> People:
    """What knows of users. Raises ApiError (404) where there are none."""
    if parts.people is None:
        raise ApiError(NOT_FOUND, "There are no users at this gateway: NEXUS_USERS=on has some.", code="users_off")
    return parts.people


def session_of(people: People, request: Request) -> str | None:
    """The id of the session that a request came with, None where it came with a token."""
    if bearer_of(request).role is None:
        return None
    fields = dict(request.scope["headers"])
    return people.visitors.cookies.session(fields.get(b"cookie"))


def source_of(parts: ApiParts, request: Request) -> Address | None:
    """The address that a request comes from, None where it is unknown."""
    return parts.guard.source(request.scope["client"], request.scope["headers"])


def with_session(people: People, session: str, answer: Response) -> Response:
    """An answer that gives a browser its session, or takes it back where there is none."""
    seconds = people.sign_ins.lifetime if session else 0.0
    answer.headers.append("set-cookie", people.visitors.cookies.set_session(session, seconds))
    return private(answer)


def _shown(session: str, found: Session | None) -> dict[str, Any]:
    """None where it has ended again already."""
    user = None
    if found is not None:
        policy = found.policy.name if found.policy is not None else "default"
        name = found.name.removeprefix(BEARER_PREFIX)
        user = {"id": found.user, "name": name, "role": found.role, "policy": policy}
    return {
        "object": "session",
        "user": user,
        "role": None if found is None else found.role,
        "csrf_token": csrf_token(session),
        "expires_at": None if found is None else int(found.expires),
    }
