"""/v1/admin/users: the users made, changed and deleted. A password that was made is in that answer and nowhere else."""

import secrets
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from nexus.contract.errors import CONFLICT, INVALID_REQUEST, NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer, page_of, private
from nexus.gateway.api.middleware import administrator
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.session import people_of
from nexus.gateway.api.shown import GoneUser, MadeUser, ShownUser, UserPage
from nexus.gateway.api.tokens import check_policy
from nexus.gateway.shapes.users import NewPassword, NewUser, UserChange
from nexus.gateway.storage import Opened
from nexus.store.rows import KeptUser

USERS: Final = "/v1/admin/users"
_MADE_BYTES: Final = 18  # 144 random bits


def user_routes(parts: ApiParts) -> APIRouter:
    """All for the administrator and for users with that role. `{user_id}` is an id or a name."""
    router = APIRouter()
    _add_tellers(router, parts)
    _add_makers(router, parts)
    _add_password(router, parts)
    return router


def _add_tellers(router: APIRouter, parts: ApiParts) -> None:
    @router.get(USERS, responses={200: {"model": UserPage}})
    async def list_users(
        request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: str | None = None
    ) -> Response:
        administrator(request)
        people_of(parts)
        opened = await parts.store.opened()
        page = await opened.users.page(limit=limit, after=after)
        if page is None:
            raise ApiError(INVALID_REQUEST, f"There is no user {(after or '')[:100]!r}.", param="after")
        users, more = page
        return json_answer(page_of([shown(user) for user in users], more))

    @router.get(USERS + "/{user_id}", responses={200: {"model": ShownUser}})
    async def get_user(request: Request, user_id: str) -> Response:
        administrator(request)
        people_of(parts)
        return json_answer(shown(await _find(await parts.store.opened(), user_id)))


def _add_makers(router: APIRouter, parts: ApiParts) -> None:
    """The routes that change something; each is in force here before its answer, elsewhere within a second."""

    @router.post(USERS, status_code=201, responses={201: {"model": MadeUser}})
    async def create_user(request: Request, wanted: NewUser) -> Response:
        actor = administrator(request)
        people = people_of(parts)
        check_policy(wanted.policy, parts.config())
        password = wanted.password or secrets.token_urlsafe(_MADE_BYTES)
        kept = await people.sign_ins.passwords.hashed(password)
        identity = f"user-{secrets.token_hex(12)}"
        user = KeptUser(identity, wanted.name, wanted.role, wanted.policy, time.time(), kept)
        opened = await parts.store.opened()
        if not await opened.users.create(user, actor):
            raise ApiError(CONFLICT, f"Another user is or was called {user.name!r} already.", param="name")
        await parts.tokens.look()
        return _shown_once(user, None if wanted.password else password, 201)

    @router.patch(USERS + "/{user_id}", responses={200: {"model": ShownUser}})
    async def change_user(request: Request, user_id: str, wanted: UserChange) -> Response:
        actor = administrator(request)
        people_of(parts)
        if wanted.policy is not None:
            check_policy(wanted.policy, parts.config())
        opened = await parts.store.opened()
        found = await _find(opened, user_id)
        values = wanted.model_dump(exclude_none=True)
        changed = await opened.users.change(found.id, values, actor) if values else found
        if changed is None:
            raise _unknown(user_id)
        await parts.tokens.look()
        return json_answer(shown(changed))

    @router.delete(USERS + "/{user_id}", responses={200: {"model": GoneUser}})
    async def delete_user(request: Request, user_id: str) -> Response:
        actor = administrator(request)
        people_of(parts)
        opened = await parts.store.opened()
        deleted = await opened.users.delete((await _find(opened, user_id)).id, actor)
        if deleted is None:
            raise _unknown(user_id)
        await parts.tokens.look()
        return json_answer({"id": deleted.id, "object": "user", "name": deleted.name, "deleted": True})


def _add_password(router: APIRouter, parts: ApiParts) -> None:
    @router.post(USERS + "/{user_id}/password", responses={200: {"model": MadeUser}})
    async def set_password(request: Request, user_id: str, wanted: NewPassword) -> Response:
        actor = administrator(request)
        people = people_of(parts)
        opened = await parts.store.opened()
        found = await _find(opened, user_id)
        if found.issuer is not None:
            raise ApiError(CONFLICT, f"The user {found.name!r} signs in by {found.issuer}, and has no password here.")
        password = wanted.password or secrets.token_urlsafe(_MADE_BYTES)
        kept = await people.sign_ins.passwords.hashed(password)
        changed = await opened.users.set_password(found.id, kept, actor)
        if changed is None:
            raise _unknown(user_id)
        await parts.tokens.look()
        return _shown_once(changed, None if wanted.password else password)


async def _find(opened: Opened, named: str) -> KeptUser:
    found = await opened.users.find(named)
    if found is None:
        raise _unknown(named)
    return found


def _unknown(named: str) -> ApiError:
    return ApiError(NOT_FOUND, f"There is no user {named[:100]!r}.", param="user")


def shown(user: KeptUser) -> dict[str, Any]:
    """A user as the API tells of one."""
    return {
        "id": user.id,
        "object": "user",
        "name": user.name,
        "role": user.role,
        "policy": user.policy,
        "disabled": user.disabled,
        "issuer": user.issuer,
        "created_at": int(user.created_at),
        "signed_in_at": None if user.signed_in_at is None else int(user.signed_in_at),
    }


def _shown_once(user: KeptUser, password: str | None, status: int = 200) -> Response:
    made = {} if password is None else {"password": password}
    return private(json_answer({**shown(user), **made}, status))
