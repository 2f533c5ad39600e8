"""Who calls: a bearer token is known by its SHA-256, so that looking it up tells nothing about it by its timing."""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from nexus.contract.errors import INVALID_API_KEY, PERMISSION_DENIED, ApiError
from nexus.policies.account import Account
from nexus.policies.networks import Address, within
from nexus.policies.policy import Policy, nothing
from nexus.policies.token import Bearer, Token

ADMINISTRATOR: Final = "administrator"
ANONYMOUS: Final = "anonymous"
_NEVER: Final = float("inf")


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


class Keyring:
    """The tokens that are let in. With `required` False everyone is, as `anonymous`, whose policy `hold` is given.

    `version` changes whenever a token may be let in no more, or as somebody else: what was looked up before is void.
    """

    def __init__(
        self, tokens: Iterable[Token] = (), *, required: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        self._required = required
        self._now = now
        self._lent: dict[bytes, str] = {}
        self._accounts: dict[str, Account] = {}
        self.version = 0
        self.hold(tokens)

    def hold(self, tokens: Iterable[Token], anonymous: Policy | None = None) -> None:
        """Let in these, and no others, from now on. What each name has used of its limits goes on counting."""
        self._tokens = {token.digest: token for token in tokens}
        policies = {token.name: token.policy for token in self._tokens.values()}
        if not self._required:
            policies[ANONYMOUS] = anonymous
        self._accounts = {name: self._accounts.get(name) or Account() for name in policies}
        self._bearers = {name: Bearer(name, policy, self._accounts[name]) for name, policy in policies.items()}
        self._soonest = 0.0
        self.expire()

    def expire(self) -> None:
        """Let in no more whose time is over; to be called now and then."""
        now = self._now()
        if now < self._soonest:
            return
        for token in self._tokens.values():
            if (token.expires or _NEVER) <= now:
                self._bearers.pop(token.name, None)
        ahead = (token.expires for token in self._tokens.values() if token.expires is not None and token.expires > now)
        self._soonest = min(ahead, default=_NEVER)
        self.version += 1

    def lend(self, name: str) -> str:
        """A further token that goes by `name`, until it is taken back: for a service that asks on a caller's behalf."""
        token = f"lent-{secrets.token_urlsafe(24)}"
        self._lent[digest(token)] = name
        return token

    def take_back(self, token: str) -> None:
        """Let in a lent token no more."""
        self._lent.pop(digest(token), None)
        self.version += 1

    def bearer(self, name: str) -> Bearer:
        """Who goes by `name`, for work that is done later; one who is known no more may ask for nothing."""
        return self._bearers.get(name) or Bearer(name, nothing())

    def check(self, authorization: bytes | None) -> Bearer:
        """Who comes with this value of the `authorization` header. Raises ApiError (401)."""
        bearer = self._known(authorization)
        if bearer is None:
            raise ApiError(INVALID_API_KEY, self._why_not(authorization))
        return bearer

    def check_owner(self, authorization: bytes | None) -> Bearer:
        """As `check`, for what a caller keeps to itself: files and jobs. Raises ApiError (403) for a lent token."""
        bearer = self.check(authorization)
        if bearer.lent:
            raise ApiError(PERMISSION_DENIED, "A token on loan may ask for operations, and for nothing else.")
        return bearer

    def _known(self, authorization: bytes | None) -> Bearer | None:
        key = _key(authorization)
        lender = self._lent.get(key)
        if lender is not None:
            bearer = self._bearers.get(lender)
            return None if bearer is None else replace(bearer, lent=True)
        token = self._tokens.get(key)
        if token is not None and (token.expires or _NEVER) > self._now():
            return self._bearers.get(token.name)
        return self._bearers[ANONYMOUS] if not self._required else None

    def _why_not(self, authorization: bytes | None) -> str:
        if authorization is None:
            return "No API key was given: send the header 'Authorization: Bearer <key>'."
        return "The API key has expired." if _key(authorization) in self._tokens else "The API key is not a known one."


def check_address(bearer: Bearer, source: Address | None) -> None:
    """Raises ApiError (403) where the policy does not let its token be used from there."""
    policy = bearer.policy
    if policy is None or not bearer.is_bound_to_addresses:
        return
    if source is None or not within(source, policy.ip_allow):
        raise ApiError(PERMISSION_DENIED, f"The token {bearer.name!r} may not be used from this address.")


def _key(authorization: bytes | None) -> bytes:
    """The digest of the credentials; no token's where there are none."""
    scheme, _, credentials = (authorization or b"").partition(b" ")
    credentials = credentials.strip()
    return hashlib.sha256(credentials).digest() if credentials and scheme.lower() == b"bearer" else b""
