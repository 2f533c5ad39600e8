"""A session as a browser has it: a cookie that no script reads, and a token that only a page of this origin can send.

The token is made of what the cookie holds, so that it belongs to that session and is kept nowhere.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from nexus.contract.errors import PERMISSION_DENIED, ApiError

CSRF_HEADER: Final = "x-csrf-token"
_LENGTH: Final = 43  # of 256 bits in URL-safe base64
_SIGN_IN_PATH: Final = "/v1/session/oidc"


def new_id() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def csrf_token(session: str) -> str:
    """What a page has to send along with the cookie of this session."""
    return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure`: over TLS alone, under names that no other host, port without TLS or path can set."""

    secure: bool

    @property
    def name(self) -> str:
        """Of the session's cookie."""
        return "__Host-nexus_session" if self.secure else "nexus_session"

    @property
    def sign_in_name(self) -> str:
        """Of the cookie while a provider is asked who it is."""
        return "__Secure-nexus_sign_in" if self.secure else "nexus_sign_in"

    def session(self, header: bytes | None) -> str | None:
        """What the session's cookie holds; None where there is none, or there are several that differ."""
        return _value(header, self.name)

    def sign_in(self, header: bytes | None) -> str | None:
        """What the cookie of a sign-in holds."""
        return _value(header, self.sign_in_name)

    def set_session(self, session: str, seconds: float) -> str:
        """The `set-cookie` header; 0 seconds take it back."""
        return self._line(self.name, session, "/", "Strict", seconds)

    def set_sign_in(self, secret: str, seconds: float) -> str:
        """As above; Lax, for it is a link of another site by which the browser comes back."""
        return self._line(self.sign_in_name, secret, _SIGN_IN_PATH, "Lax", seconds)

    def _line(self, name: str, value: str, path: str, same_site: str, seconds: float) -> str:
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Path={path}; Max-Age={int(seconds)}; HttpOnly; SameSite={same_site}{secure}"


def _value(header: bytes | None, name: str) -> str | None:
    pairs = (one.strip().partition(b"=") for one in (header or b"").split(b";"))
    values = {value for key, _, value in pairs if key == name.encode()}
    if len(values) != 1:
        return None
    value = values.pop()
    fits = len(value) == _LENGTH and value.replace(b"-", b"").replace(b"_", b"").isalnum()
    return value.decode() if fits and value.isascii() else None


def check_origin(fields: Mapping[bytes, bytes], public_url: str | None) -> None:
    """Raises ApiError (403) for a request that a page of another origin sends. Names in lower case.

    Programs send no `Origin`; a browser does with whatever changes something.
    """
    if fields.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
        raise _foreign()
    origin = fields.get(b"origin")
    if origin is None:
        return
    scheme, _, authority = origin.decode("latin-1").lower().partition("://")
    if not authority or scheme not in ("http", "https"):
        raise _foreign()
    own = {_bare(scheme, fields.get(b"host", b"").decode("latin-1").lower())}
    if public_url is not None:
        place = urlsplit(public_url.lower())
        own.add(_bare(place.scheme, place.netloc))
    if _bare(scheme, authority) not in own:
        raise _foreign()


def check_csrf(session: str, fields: Mapping[bytes, bytes]) -> None:
    """Raises ApiError (403) where the token does not come with the cookie."""
    sent = fields.get(CSRF_HEADER.encode(), b"")
    if not hmac.compare_digest(sent, csrf_token(session).encode()):
        message = f"A request with a session's cookie needs the header '{CSRF_HEADER}', as GET /v1/session tells it."
        raise ApiError(PERMISSION_DENIED, message)


def _bare(scheme: str, authority: str) -> str:
    """Host and port, the port left out where the scheme says it."""
    return authority.removesuffix(":443" if scheme == "https" else ":80")


def _foreign() -> ApiError:
    return ApiError(PERMISSION_DENIED, "This is for pages of the gateway's own origin alone.")
