"""/v1/admin/tokens: the tokens of the database made, replaced and revoked, those of nexus.yaml shown beside them.

A token is in the answer that made it and nowhere else; what is kept of it is told to nobody.
"""

import hashlib
import secrets
import time
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from nexus.contract.errors import CONFLICT, INVALID_REQUEST, NOT_FOUND, PERMISSION_DENIED, ApiError
from nexus.gateway.api.answers import json_answer, page_of, private
from nexus.gateway.api.middleware import administrator
from nexus.gateway.api.near import did_you_mean
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.shown import GoneToken, MadeToken, TokenPage, TokenWithUsage
from nexus.gateway.api.usage import usage_of
from nexus.gateway.config import CONFIG_FILE, Config
from nexus.gateway.edge.auth import digest, new_token
from nexus.gateway.shapes.policies import RESERVED
from nexus.gateway.shapes.tokens import NewToken
from nexus.gateway.storage import Opened
from nexus.gateway.tokens import DEFAULT
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.rows import KeptToken

TOKENS: Final = "/v1/admin/tokens"
READ_ONLY: Final = "read_only"


def token_routes(parts: ApiParts) -> APIRouter:
    """All for the administrator alone. `{token_id}` is an id or a name."""
    router = APIRouter()
    _add_tellers(router, parts)
    _add_makers(router, parts)
    return router


def _add_tellers(router: APIRouter, parts: ApiParts) -> None:
    @router.get(TOKENS, responses={200: {"model": TokenPage}})
    async def list_tokens(
        request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 1000, after: str | None = None
    ) -> Response:
        administrator(request)
        opened = await parts.store.opened()
        _, kept = await opened.tokens.living()
        config = parts.config()
        shown = [*(_of_file(token) for token in config.tokens), *(shown_of_database(token, config) for token in kept)]
        ids = [one["id"] for one in shown]
        if after is not None and after not in ids:
            raise ApiError(INVALID_REQUEST, f"There is no token {after[:100]!r}.", param="after")
        begin = 0 if after is None else ids.index(after) + 1
        return json_answer(page_of(shown[begin : begin + limit], len(shown) > begin + limit))

    @router.get(TOKENS + "/{token_id}", responses={200: {"model": TokenWithUsage}})
    async def get_token(request: Request, token_id: str) -> Response:
        administrator(request)
        config = parts.config()
        declared = _declared(config, token_id)
        if declared is not None:
            return json_answer({**_of_file(declared), "usage": _usage(parts, declared.name, declared.policy)})
        found = await _find(await parts.store.opened(), token_id)
        policy = parts.tokens.policy_named(found.policy) if found.revoked_at is None else None
        return json_answer({**shown_of_database(found, config), "usage": _usage(parts, found.name, policy)})


def _add_makers(router: APIRouter, parts: ApiParts) -> None:
    """The routes that change something; each is in force here before its answer, elsewhere within a second."""

    @router.post(TOKENS, status_code=201, responses={201: {"model": MadeToken}})
    async def create_token(request: Request, wanted: NewToken) -> Response:
        actor = administrator(request)
        config = parts.config()
        _check(wanted, config)
        made, token = make_token(wanted.name, wanted.owner, wanted.policy, wanted.expires)
        opened = await parts.store.opened()
        if not await opened.tokens.create(made, actor):
            raise ApiError(CONFLICT, f"Another token is called {made.name!r} already.", param="name")
        await parts.tokens.look()
        return _shown_once(made, token, config, 201)

    @router.post(TOKENS + "/{token_id}/rotate", responses={200: {"model": MadeToken}})
    async def rotate_token(request: Request, token_id: str) -> Response:
        actor = administrator(request)
        opened, found = await _changeable(parts, token_id)
        if found.expires_at is not None and found.expires_at <= time.time():
            raise ApiError(CONFLICT, f"The token {found.name!r} has expired: revoke it, and make another.")
        secret = new_token()
        rotated = await opened.tokens.rotate(found.id, digest(secret), actor)
        if rotated is None:
            raise _unknown(token_id)
        await parts.tokens.look()
        return _shown_once(rotated, secret, parts.config())

    @router.delete(TOKENS + "/{token_id}", responses={200: {"model": GoneToken}})
    async def revoke_token(request: Request, token_id: str) -> Response:
        actor = administrator(request)
        opened, found = await _changeable(parts, token_id)
        revoked = await opened.tokens.revoke(found.id, actor)
        if revoked is None:
            raise _unknown(token_id)
        await parts.tokens.look()
        return json_answer({"id": revoked.id, "object": "token", "name": revoked.name, "deleted": True})


def _usage(parts: ApiParts, name: str, policy: Policy | None) -> dict[str, Any] | None:
    return usage_of(parts.spendings, name, policy, time.time())


def _check(wanted: NewToken, config: Config) -> None:
    """Raises ApiError (400, 409)."""
    if wanted.name in RESERVED:
        raise ApiError(CONFLICT, f"{wanted.name!r} is not free: it stands for somebody already.", param="name")
    if any(token.name == wanted.name for token in config.tokens):
        raise ApiError(CONFLICT, f"{CONFIG_FILE} has a token that is called {wanted.name!r}.", param="name")
    check_policy(wanted.policy, config)


def make_token(
    name: str, owner: str, policy: str, expires: datetime | None, user: str | None = None
) -> tuple[KeptToken, str]:
    """What is to be kept, and the token itself. Raises ApiError (400) where it would have expired already."""
    now = time.time()
    until = None if expires is None else expires.timestamp()
    if until is not None and until <= now:
        raise ApiError(INVALID_REQUEST, "expires: it is past already.", param="expires")
    token = new_token()
    identity = f"token-{secrets.token_hex(12)}"
    return KeptToken(identity, name, digest(token), policy, now, owner, until, user=user), token


def check_policy(name: str, config: Config) -> None:
    """Raises ApiError (400) where there is no policy of that name."""
    if name != DEFAULT and name not in config.policies:
        message = f"{CONFIG_FILE} has no policy {name!r}.{did_you_mean(name, config.policies)}"
        raise ApiError(INVALID_REQUEST, message, param="policy")


async def _changeable(parts: ApiParts, named: str) -> tuple[Opened, KeptToken]:
    """A living token of the database. Raises ApiError (403, 404)."""
    declared = _declared(parts.config(), named)
    if declared is not None:
        message = f"The token {declared.name!r} is declared in {CONFIG_FILE}: it is changed there."
        raise ApiError(PERMISSION_DENIED, message, code=READ_ONLY)
    opened = await parts.store.opened()
    found = await _find(opened, named)
    if found.revoked_at is not None:
        raise _unknown(named)
    return opened, found


async def _find(opened: Opened, named: str) -> KeptToken:
    found = await opened.tokens.find(named)
    if found is None:
        raise _unknown(named)
    return found


def _declared(config: Config, named: str) -> Token | None:
    """The token of the file with this name or id."""
    return next((token for token in config.tokens if named in (token.name, _id(token))), None)


def _id(token: Token) -> str:
    """Its place in a URL, which not every name of the file may have."""
    return "token-" + hashlib.sha256(f"{CONFIG_FILE}:{token.name}".encode()).hexdigest()[:24]


def _unknown(named: str) -> ApiError:
    return ApiError(NOT_FOUND, f"There is no token {named[:100]!r}.", param="token")


def _of_file(token: Token) -> dict[str, Any]:
    return {
        "id": _id(token),
        "object": "token",
        "name": token.name,
        "owner": "",
        "policy": None if token.policy is None else token.policy.name,
        "state": _state(None, token.expires),
        "created_at": None,
        "expires_at": _seconds(token.expires),
        "last_used_at": None,
        "revoked_at": None,
        "source": CONFIG_FILE,
        "read_only": True,
    }


def shown_of_database(token: KeptToken, config: Config) -> dict[str, Any]:
    """A token as the API tells of one.

    `shadowed`: nexus.yaml has a token of that name; `powerless`: it has no policy of that name any more.
    """
    state = _state(token.revoked_at, token.expires_at)
    if state == "active" and any(one.name == token.name for one in config.tokens):
        state = "shadowed"
    elif state == "active" and token.policy != DEFAULT and token.policy not in config.policies:
        state = "powerless"
    return {
        "id": token.id,
        "object": "token",
        "name": token.name,
        "owner": token.owner,
        "policy": token.policy,
        "state": state,
        "created_at": _seconds(token.created_at),
        "expires_at": _seconds(token.expires_at),
        "last_used_at": _seconds(token.last_used_at),
        "revoked_at": _seconds(token.revoked_at),
        "source": token.source,
        "read_only": False,
    }


def _state(revoked: float | None, expires: float | None) -> str:
    if revoked is not None:
        return "revoked"
    return "active" if expires is None or expires > time.time() else "expired"


def _seconds(moment: float | None) -> int | None:
    return None if moment is None else int(moment)


def _shown_once(kept: KeptToken, token: str, config: Config, status: int = 200) -> Response:
    return private(json_answer({**shown_of_database(kept, config), "token": token}, status))
