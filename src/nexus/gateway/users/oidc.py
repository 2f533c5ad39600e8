"""Signing in by somebody else's word (OpenID Connect Core 1.0, code flow with PKCE): the seam to Authlib and its JOSE.

What a sign-in needs to be known again is made of one secret that the browser keeps in a cookie: state, nonce and the
verifier of PKCE. So who has the URL that comes back cannot use it in another browser, and nothing of it is kept.
"""

import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from nexus.contract.errors import PERMISSION_DENIED, UPSTREAM_ERROR, ApiError
from nexus.gateway.log import Log
from nexus.policies.networks import parse_host

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""All with public keys: whoever knows the client's secret could sign with the others."""

_LARGEST: Final = 1024 * 1024
_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 3600.0
_LEEWAY: Final = 60  # seconds that clocks may differ


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Who vouches, and what the gateway is called there."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str


@dataclass(frozen=True, slots=True)
class _Discovered:
    """What the issuer says of itself, and its keys, as of a time (Unix seconds)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    secret_in_body: bool
    keys: KeySet
    at: float


class Provider:
    """One issuer. Every method may raise ApiError (502 where the issuer does not answer as it should)."""

    def __init__(self, settings: ProviderSettings, log: Log, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._log = log
        self._now = now
        self._tls = ssl.create_default_context()
        self._discovered: _Discovered | None = None

    async def authorization_url(self, secret: str, redirect_uri: str) -> str:
        """Where a browser is sent that keeps `secret`, to be sent back to `redirect_uri`."""
        found = await self._discover()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scopes,
            "state": state_of(secret),
            "nonce": _derived(secret, "nonce"),
            "code_challenge": create_s256_code_challenge(_derived(secret, "verifier")),
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{mark}{urlencode(query)}"

    async def claims(self, secret: str, code: str, redirect_uri: str) -> Mapping[str, Any]:
        """What the issuer says of who came back with `code`. Raises ApiError (403) for what cannot be believed."""
        found = await self._discover()
        answer = await self._exchange(found, secret, code, redirect_uri)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise self._unusable("its token endpoint gave no id_token")
        try:
            try:
                return self._believed(token, found.keys, secret, answer)
            except InvalidKeyIdError:  # it has other keys by now
                found = await self._discover(anew=True)
                return self._believed(token, found.keys, secret, answer)
        except (JoseError, ValueError, TypeError) as error:
            claim = error.claim if isinstance(error, ClaimError) else ""
            self._log("warning", "id_token_refused", reason=type(error).__name__, claim=claim)
            message = f"What {self.settings.issuer} says of you cannot be believed ({claim or type(error).__name__})."
            raise ApiError(PERMISSION_DENIED, message, code="sign_in_refused") from None

    def _believed(self, token: str, keys: KeySet, secret: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims of an ID token, as section 3.1.3.7 wants them checked. Raises JoseError, ValueError."""
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self.settings.issuer},
                "aud": {"essential": True, "value": self.settings.client_id},
                "sub": {"essential": True},
                "exp": {"essential": True},
                "iat": {"essential": True},
            },
            params={
                "nonce": _derived(secret, "nonce"),
                "client_id": self.settings.client_id,
                "access_token": answer.get("access_token"),
            },
        )
        claims.validate(now=int(self._now()), leeway=_LEEWAY)
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise ValueError("sub")
        return dict(claims)

    async def _exchange(self, found: _Discovered, secret: str, code: str, redirect_uri: str) -> dict[str, Any]:
        """What the token endpoint gives for a code. Raises ApiError (403, 502)."""
        own = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": _derived(secret, "verifier"),
        }
        headers = {}
        if own.client_secret and not found.secret_in_body:
            pair = f"{quote(own.client_id, safe='')}:{quote(own.client_secret, safe='')}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form |= {"client_id": own.client_id, **({"client_secret": own.client_secret} if own.client_secret else {})}
        status, answer = await self._ask("POST", found.token_endpoint, form, headers)
        if status in (400, 401):
            self._log("warning", "sign_in_code_refused", status=status, reason=str(answer.get("error", ""))[:100])
            message = f"{own.issuer} does not stand by this sign-in: begin it anew."
            raise ApiError(PERMISSION_DENIED, message, code="sign_in_refused")
        if status != 200:
            raise self._unusable(f"its token endpoint answered with {status}")
        return answer

    async def _discover(self, *, anew: bool = False) -> _Discovered:
        found = self._discovered
        if found is None or anew or self._now() - found.at >= _KEPT_SECONDS:
            found = self._discovered = await self._look()
        return found

    async def _look(self) -> _Discovered:
        told = await self._get(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != self.settings.issuer:
            raise self._unusable("it calls itself by another name")
        places = [told.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        for place in places:
            if not isinstance(place, str) or not is_safe(place):
                raise self._unusable("its endpoints are neither over https nor on this machine")
        try:
            keys = KeySet.import_key_set(await self._get(str(places[2])))  # type: ignore[arg-type]
        except (JoseError, KeyError, ValueError, TypeError):
            raise self._unusable("its keys cannot be read") from None
        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        in_body = "client_secret_basic" not in methods and "client_secret_post" in methods
        return _Discovered(str(places[0]), str(places[1]), str(places[2]), in_body, keys, self._now())

    async def _get(self, url: str) -> dict[str, Any]:
        status, answer = await self._ask("GET", url)
        if status != 200:
            raise self._unusable(f"{urlsplit(url).path} answered with {status}")
        return answer

    async def _ask(
        self, method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status and the object that is answered; bounded in bytes and time, and never redirected."""
        body = bytearray()
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=_SECONDS) as client,
                client.stream(method, url, data=form, headers={"accept": "application/json", **(headers or {})}) as one,
            ):
                async for piece in one.aiter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise self._unusable("it answered with too much")
            answer = msgspec.json.decode(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unusable(f"it cannot be reached: {type(error).__name__}") from None
        except msgspec.DecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise self._unusable("it answered with something else than an object of JSON")
        return one.status_code, answer

    def _unusable(self, reason: str) -> ApiError:
        self._log("error", "oidc_issuer_unusable", issuer=self.settings.issuer, reason=reason)
        return ApiError(UPSTREAM_ERROR, f"{self.settings.issuer} cannot be asked who you are: {reason}.")


def state_of(secret: str) -> str:
    """What the browser is to bring back with its code."""
    return _derived(secret, "state")


def is_safe(url: str) -> bool:
    """Whether what is said there is said over TLS, or on this machine."""
    try:
        place = urlsplit(url)
        host = place.hostname or ""
    except ValueError:
        return False
    address = parse_host(host)
    local = host == "localhost" or (address is not None and address.is_loopback)
    return bool(host) and (place.scheme == "https" or (place.scheme == "http" and local))


def _derived(secret: str, what: str) -> str:
    digest = hmac.new(secret.encode(), what.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
