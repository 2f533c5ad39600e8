"""Who calls: a bearer token is known by its SHA-256, so that looking it up tells nothing about it by its timing.

No secret is compared with what was sent: the digest of what was sent is looked for among the digests that are kept.
How long that takes may depend on how much of a digest agrees, but nobody can choose a token by its digest's
beginning, and what is learnt of a digest is nothing about a token of 256 random bits.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from nexus.contract.errors import INVALID_API_KEY, OVERLOADED, PERMISSION_DENIED, STORAGE_UNAVAILABLE, ApiError
from nexus.gateway.edge.shared_loans import SharedLoans
from nexus.policies.account import Account
from nexus.policies.networks import Address, within
from nexus.policies.policy import Policy, nothing
from nexus.policies.token import Bearer, Token

ADMINISTRATOR: Final = "administrator"
ANONYMOUS: Final = "anonymous"
MADE: Final = "sk-nxt-"
"""How tokens begin that were made for the database."""

_NEVER: Final = float("inf")
_UNREAD_SECONDS: Final = 1.0


def digest(token: str) -> bytes:
    """What is kept of a token, and of what else must not be kept itself: a session's id, a state of a sign-in."""
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    """A token for the database: 256 random bits, so that a plain SHA-256 gives nothing of it away."""
    return MADE + secrets.token_urlsafe(32)


class Keyring:
    """The tokens that are let in. With `required` False everyone is, as `anonymous`, whose policy `hold` is given.

    `version` changes whenever a token may be let in no more, or as somebody else, or a place is closed to it: what was
    looked up before is void. `loans`: those that other processes make count, too.
    """

    def __init__(
        self,
        tokens: Iterable[Token] = (),
        *,
        required: bool = True,
        loans: SharedLoans | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._required = required
        self._now = now
        self.seen: dict[bytes, float] = {}  # when a user's token was looked up last, by its digest (Unix seconds)
        self._lent: dict[bytes, str] = {}
        self._loans = loans
        self._accounts: dict[str, Account] = {}
        self._held: tuple[tuple[Token, ...], Policy | None, Mapping[str, Policy | None]] | None = None
        self._whole = True
        self.version = 0
        self.hold(tokens)

    def hold(
        self,
        tokens: Iterable[Token],
        anonymous: Policy | None = None,
        users: Mapping[str, Policy | None] = MappingProxyType({}),
        *,
        whole: bool = True,
    ) -> None:
        """Let in these, and no others, from now on. What each name has used of its limits goes on counting.

        `users` may ask whether they have a token or not; all that they have goes by one name, with one policy.
        Not `whole`: the database's are still to come, so that a token that may be one of them is not wrong, but early.
        Holding what is held already changes nothing.
        """
        self._whole = whole
        held = tuple(tokens), anonymous, users
        if held == self._held:
            return
        self._held = held
        self._take(*held)

    def void(self) -> None:
        """What was looked up before is to be looked up anew: who may come from where has changed."""
        self.version += 1

    def _take(self, tokens: tuple[Token, ...], anonymous: Policy | None, users: Mapping[str, Policy | None]) -> None:
        self._tokens = {token.digest: token for token in tokens}
        self._users = frozenset(users)
        policies = {**{token.name: token.policy for token in self._tokens.values()}, **users}
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
            if (token.expires or _NEVER) <= now and token.name not in self._users:
                self._bearers.pop(token.name, None)
        ahead = (token.expires for token in self._tokens.values() if token.expires is not None and token.expires > now)
        self._soonest = min(ahead, default=_NEVER)
        self.version += 1

    def lend(self, name: str) -> str:
        """A further token that goes by `name`, until it is taken back: for a service that asks on a caller's behalf."""
        if self._loans is not None:
            return self._loans.make(name)
        token = f"lent-{secrets.token_urlsafe(24)}"
        self._lent[digest(token)] = name
        return token

    def take_back(self, token: str) -> None:
        """Let in a lent token no more."""
        if self._lent.pop(digest(token), None) is not None:
            self.version += 1

    def bearer(self, name: str) -> Bearer:
        """Who goes by `name`, for work that is done later; one who is known no more may ask for nothing."""
        return self._bearers.get(name) or Bearer(name, nothing())

    def check(self, authorization: bytes | None) -> Bearer:
        """Who comes with this value of the `authorization` header. Raises ApiError (401; 503 where it is too early)."""
        bearer = self._known(authorization)
        if bearer is None:
            raise self._refusal(authorization)
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
        if self._loans is not None:
            lender = self._loans.name_of(_credentials(authorization))
        if lender is not None:
            bearer = self._bearers.get(lender)
            return None if bearer is None else replace(bearer, lent=True)
        token = self._tokens.get(key)
        if token is not None and (token.expires or _NEVER) > self._now():
            if token.name in self._users:
                self.seen[key] = self._now()
            return self._bearers.get(token.name)
        return self._bearers[ANONYMOUS] if not self._required else None

    def _refusal(self, authorization: bytes | None) -> ApiError:
        if authorization is None:
            return ApiError(INVALID_API_KEY, "No API key was given: send the header 'Authorization: Bearer <key>'.")
        if _key(authorization) in self._tokens:
            return ApiError(INVALID_API_KEY, "The API key has expired.")
        if not self._whole and _credentials(authorization).startswith(MADE.encode()):
            message = "The tokens of the database have not been read yet."
            return ApiError(OVERLOADED, message, code=STORAGE_UNAVAILABLE, retry_after=_UNREAD_SECONDS)
        return ApiError(INVALID_API_KEY, "The API key is not a known one.")


def check_address(bearer: Bearer, source: Address | None) -> None:
    """Raises ApiError (403) where the policy does not let its token be used from there."""
    policy = bearer.policy
    if policy is None or not bearer.is_bound_to_addresses:
        return
    if source is None or not within(source, policy.ip_allow):
        raise ApiError(PERMISSION_DENIED, f"The token {bearer.name!r} may not be used from this address.")


def _key(authorization: bytes | None) -> bytes:
    """The digest of the credentials; no token's where there are none."""
    credentials = _credentials(authorization)
    return hashlib.sha256(credentials).digest() if credentials else b""


def _credentials(authorization: bytes | None) -> bytes:
    scheme, _, credentials = (authorization or b"").partition(b" ")
    return credentials.strip() if scheme.lower() == b"bearer" else b""
