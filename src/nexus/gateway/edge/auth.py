"""Who calls: a bearer token is known by its SHA-256, so that looking it up tells nothing about it by its timing."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

from nexus.contract.errors import INVALID_API_KEY, PERMISSION_DENIED, ApiError

ADMINISTRATOR: Final = "administrator"
ANONYMOUS: Final = "anonymous"


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


class Keyring:
    """The tokens that are let in, by digest → name. With `required` False everyone is, as `anonymous`.

    `version` changes whenever a token that was let in may be let in no more: what was looked up before is void.
    """

    def __init__(self, tokens: Mapping[bytes, str], *, required: bool = True) -> None:
        self._tokens = dict(tokens)
        self._lent: set[bytes] = set()
        self._required = required
        self.version = 0

    def lend(self, name: str) -> str:
        """A further token that goes by `name`, until it is taken back: for a service that asks on a caller's behalf."""
        token = f"lent-{secrets.token_urlsafe(24)}"
        key = digest(token)
        self._tokens[key] = name
        self._lent.add(key)
        return token

    def void(self) -> None:
        """What was looked up before is void: not the tokens, but what else was checked along with them has changed."""
        self.version += 1

    def take_back(self, token: str) -> None:
        """Let in a lent token no more."""
        key = digest(token)
        self._tokens.pop(key, None)
        self._lent.discard(key)
        self.version += 1

    def check(self, authorization: bytes | None) -> str:
        """The token's name, from the value of the `authorization` header. Raises ApiError (401)."""
        if authorization is None:
            if self._required:
                raise ApiError(INVALID_API_KEY, "No API key was given: send the header 'Authorization: Bearer <key>'.")
            return ANONYMOUS
        scheme = authorization.partition(b" ")[0]
        name = self._tokens.get(hashlib.sha256(_credentials(authorization)).digest())
        if name is not None and scheme.lower() == b"bearer":
            return name
        if not self._required:
            return ANONYMOUS
        raise ApiError(INVALID_API_KEY, "The API key is not a known one.")

    def check_owner(self, authorization: bytes | None) -> str:
        """As `check`, for what a caller keeps to itself: files and jobs. Raises ApiError (403) for a lent token."""
        name = self.check(authorization)
        if hashlib.sha256(_credentials(authorization)).digest() in self._lent:
            raise ApiError(PERMISSION_DENIED, "A token on loan may ask for operations, and for nothing else.")
        return name


def _credentials(authorization: bytes | None) -> bytes:
    return (authorization or b"").partition(b" ")[2].strip()
