"""A real OpenID provider on loopback: discovery, keys, code flow with PKCE; one that lies, where a test wants that.

Whoever comes to the authorization endpoint is `claims` and agrees. Codes work once, for the client, the redirection and
the verifier that they were asked for with (RFC 6749, RFC 7636, OpenID Connect Core 1.0).
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "nexus client", "s3cret:of/the%client"

Sign = Callable[["OidcProvider", dict[str, Any]], str]


class OidcProvider:
    """Use as a context manager. `sign` makes the ID token of the claims; tests put their own in its place."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "subject-1", "preferred_username": "ada"}
        self.keys = [new_key()]
        self.sign: Sign = signed
        self.issued: list[str] = []  # every code and token
        self.asked: list[str] = []  # every path
        self.discovery: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer_get(self)

            def do_POST(self) -> None:
                provider.answer_post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/realm"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer_get(self, handler: BaseHTTPRequestHandler) -> None:
        place = urlsplit(handler.path)
        self.asked.append(place.path)
        if place.path == "/realm/.well-known/openid-configuration":
            told = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
            _json(handler, 200, {**told, **self.discovery})
        elif place.path == "/realm/keys":
            _json(handler, 200, dict(KeySet(list(self.keys)).as_dict(private=False)))
        elif place.path == "/realm/authorize":
            self._authorize(handler, {name: values[0] for name, values in parse_qs(place.query).items()})
        else:
            _json(handler, 404, {"error": "not_found"})

    def _authorize(self, handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        wanted = ("client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge")
        fits = all(asked.get(name) for name in wanted) and "openid" in asked["scope"].split()
        fits = fits and asked["client_id"] == CLIENT and asked.get("code_challenge_method") == "S256"
        if not fits or asked.get("response_type") != "code":
            _json(handler, 400, {"error": "invalid_request"})
            return
        code = secrets.token_urlsafe(24)
        self.issued.append(code)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        handler.send_response(302)
        handler.send_header("location", f"{asked['redirect_uri']}?{back}")
        handler.send_header("content-length", "0")
        handler.end_headers()

    def answer_post(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        body = handler.rfile.read(int(handler.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        scheme, _, pair = handler.headers.get("authorization", "").partition(" ")
        client, _, secret = base64.b64decode(pair).decode().partition(":")
        if scheme != "Basic" or (unquote(client), unquote(secret)) != (CLIENT, SECRET):
            _json(handler, 401, {"error": "invalid_client"})
            return
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        good = asked is not None and form.get("grant_type") == "authorization_code"
        if (
            asked is None
            or not good
            or (asked["redirect_uri"], asked["code_challenge"])
            != (
                form.get("redirect_uri"),
                challenge,
            )
        ):
            _json(handler, 400, {"error": "invalid_grant"})
            return
        now, access = int(time.time()), secrets.token_urlsafe(24)
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        half = hashlib.sha256(access.encode()).digest()[:16]
        token = self.sign(self, {**claims, "at_hash": _b64(half), **self.claims})
        self.issued += [access, token]
        _json(handler, 200, {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token})


def new_key() -> RSAKey:
    """A key with a name of its own."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})


def signed(provider: OidcProvider, claims: dict[str, Any]) -> str:
    """As it should be: with the newest key."""
    return by(provider.keys[-1], claims)


def by(key: RSAKey, claims: dict[str, Any]) -> str:
    """With this key."""
    return jwt.encode({"alg": "RS256", "kid": str(key.kid)}, claims, key)


def unsigned(_: OidcProvider, claims: dict[str, Any]) -> str:
    """With no signature at all."""
    parts = ({"alg": "none"}, claims)
    return ".".join(_b64(json.dumps(part).encode()) for part in parts) + "."


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _json(handler: BaseHTTPRequestHandler, status: int, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
