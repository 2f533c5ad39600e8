"""/v1/me: what those who are signed in do for themselves: another password, and tokens of their own."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from nexus.contract.errors import CONFLICT, NOT_FOUND, PERMISSION_DENIED, ApiError
from nexus.contract.roles import VIEWER
from nexus.gateway.api.answers import json_answer, page_of, private
from nexus.gateway.api.middleware import caller
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.session import people_of, session_of, source_of, with_session
from nexus.gateway.api.tokens import make_token, shown_of_database
from nexus.gateway.shapes.users import OwnPassword, OwnToken
from nexus.gateway.storage import Opened
from nexus.store.rows import KeptToken, KeptUser

ME: Final = "/v1/me"
TOKENS_OF_A_USER: Final = 100


def me_routes(parts: ApiParts) -> APIRouter:
    """All for sessions alone: a token that was stolen makes no further ones."""
    router = APIRouter()
    _add_password(router, parts)
    _add_tokens(router, parts)
    return router


def _add_password(router: APIRouter, parts: ApiParts) -> None:
    @router.post(ME + "/password")
    async def change_password(request: Request, wanted: OwnPassword) -> Response:
        people = people_of(parts)
        opened, user = await _own(parts, request)
        if user.issuer is not None:
            raise ApiError(CONFLICT, f"You sign in by {user.issuer}, and have no password here.")
        await people.sign_ins.check(user.name, wanted.current, source_of(parts, request))
        kept = await people.sign_ins.passwords.hashed(wanted.password)
        changed = await opened.users.set_password(user.id, kept, caller(request))
        if changed is None:
            raise _gone()
        session = await people.sign_ins.begin(changed)
        return with_session(people, session, json_answer({"object": "user", "id": user.id, "changed": True}))


def _add_tokens(router: APIRouter, parts: ApiParts) -> None:
    @router.get(ME + "/tokens")
    async def list_own(request: Request) -> Response:
        opened, user = await _own(parts, request)
        tokens = await opened.tokens.of_user(user.id)
        return json_answer(page_of([_shown(parts, user, token) for token in tokens], more=False))

    @router.post(ME + "/tokens", status_code=201)
    async def create_own(request: Request, wanted: OwnToken) -> Response:
        opened, user = await _own(parts, request)
        if user.role == VIEWER:
            raise ApiError(PERMISSION_DENIED, "A viewer has no tokens.")
        if len(await opened.tokens.of_user(user.id)) >= TOKENS_OF_A_USER:
            raise ApiError(CONFLICT, f"You have {TOKENS_OF_A_USER} tokens, which is as many as may be.")
        name = f"{user.bearer}/{wanted.name}"
        token, secret = make_token(name, user.name, user.policy, wanted.expires, user.id)
        if not await opened.tokens.create(token, caller(request)):
            raise ApiError(CONFLICT, f"Another token of yours is called {wanted.name!r} already.", param="name")
        await parts.tokens.look()
        return private(json_answer({**_shown(parts, user, token), "token": secret}, 201))

    @router.delete(ME + "/tokens/{token}")
    async def revoke_own(request: Request, token: str) -> Response:
        opened, user = await _own(parts, request)
        tokens = await opened.tokens.of_user(user.id)
        found = next((one for one in tokens if token in (one.id, _bare(user, one))), None)
        if found is None or await opened.tokens.revoke(found.id, caller(request)) is None:
            raise ApiError(NOT_FOUND, f"You have no token {token[:100]!r}.", param="token")
        await parts.tokens.look()
        return json_answer({"id": found.id, "object": "token", "name": _bare(user, found), "deleted": True})


async def _own(parts: ApiParts, request: Request) -> tuple[Opened, KeptUser]:
    """The storage, and who is signed in. Raises ApiError (401, 403, 404)."""
    people = people_of(parts)
    opened = await parts.store.opened()
    session = session_of(people, request)
    if session is None:
        raise ApiError(PERMISSION_DENIED, "This is for those who are signed in, and for no token.")
    found = people.visitors.find(session)
    user = None if found is None else await opened.users.find(found.user)
    if user is None:
        raise _gone()
    return opened, user


def _bare(user: KeptUser, token: KeptToken) -> str:
    """The name that its user gave it."""
    return token.name.removeprefix(f"{user.bearer}/")


def _shown(parts: ApiParts, user: KeptUser, token: KeptToken) -> dict[str, Any]:
    return {**shown_of_database(token, parts.config()), "name": _bare(user, token)}


def _gone() -> ApiError:
    return ApiError(NOT_FOUND, "This user is there no more.", param="user")
