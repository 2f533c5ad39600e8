"""Users who sign in by an issuer's word: known by its name and their subject there, and by no e-mail address."""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import CONFLICT, PERMISSION_DENIED, ApiError
from nexus.contract.roles import ADMIN, Role
from nexus.gateway.storage import Opened, Store
from nexus.gateway.tokens import DEFAULT
from nexus.store.rows import KeptUser

ACTOR: Final = "oidc"
_TRIES: Final = 5
_LONGEST: Final = 50


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is in `admin_group` by the claim `claim` is an admin, as long as that is so; all others begin as `role`."""

    claim: str
    admin_group: str
    role: Role

    def of(self, claims: Mapping[str, Any], before: Role | None) -> Role:
        """The role of who has these claims and had this one. What an administrator gave to a non-admin stays."""
        if not self.admin_group:
            return before or self.role
        told = claims.get(self.claim)
        groups = told if isinstance(told, list) else str(told).split() if isinstance(told, str) else []
        if self.admin_group in groups:
            return ADMIN
        return self.role if before is None or before == ADMIN else before


class Vouched:
    """Finds users, and makes those who come for the first time. Every method may raise ApiError and StoreError."""

    def __init__(self, store: Store, issuer: str, roles: Roles, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._issuer = issuer
        self._roles = roles
        self._now = now

    async def user(self, claims: Mapping[str, Any]) -> KeptUser:
        """Who these claims are of, with the role that they give now."""
        opened = await self._store.opened()
        user = await opened.users.linked(self._issuer, claims["sub"])
        if user is None:
            return await self._make(opened, claims)
        role = self._roles.of(claims, user.role)
        if role == user.role:
            return user
        changed = await opened.users.change(user.id, {"role": role}, ACTOR)
        if changed is None:
            raise ApiError(PERMISSION_DENIED, "This user may not sign in.")
        return changed

    async def _make(self, opened: Opened, claims: Mapping[str, Any]) -> KeptUser:
        name = name_of(claims)
        for attempt in range(_TRIES):
            identity = f"user-{secrets.token_hex(12)}"
            free = name if not attempt else f"{name}-{secrets.token_hex(3)}"
            role = self._roles.of(claims, None)
            user = KeptUser(identity, free, role, DEFAULT, self._now(), issuer=self._issuer, subject=claims["sub"])
            if await opened.users.create(user, ACTOR):
                return user
            known = await opened.users.linked(self._issuer, claims["sub"])
            if known is not None:  # the same user came twice at once
                return known
        raise ApiError(CONFLICT, "No name is free for this user.")


def name_of(claims: Mapping[str, Any]) -> str:
    """What a new user may be called: for people alone, since somebody may choose it there."""
    for claim in ("preferred_username", "email", "name", "sub"):
        told = claims.get(claim)
        name = re.sub(r"[^A-Za-z0-9._@-]+", "-", told).strip("-._@")[:_LONGEST] if isinstance(told, str) else ""
        if name:
            return name
    return "somebody"
