"""/v1/session/oidc: where a browser is sent. What is believed of what it brings back: tests/system/test_oidc.py."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers.oidc_provider import CLIENT, OidcProvider


async def test_a_browser_is_sent_to_where_it_comes_back_from(
    environment: pytest.MonkeyPatch, start_gateway: Callable[..., Any]
) -> None:
    with OidcProvider() as issuer:
        for name, value in (
            ("USERS", "on"), ("OIDC_ISSUER", issuer.issuer), ("OIDC_CLIENT_ID", CLIENT),
            ("PUBLIC_URL", "https://ai.example"),
        ):  # fmt: skip
            environment.setenv(f"NEXUS_{name}", value)
        gateway = await start_gateway()
        answer = await gateway.client.get("/v1/session/oidc")
        assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
        asked = parse_qs(urlsplit(answer.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://ai.example/v1/session/oidc/callback"]
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Secure-nexus_sign_in=")
        assert {"HttpOnly", "SameSite=Lax", "Secure", "Path=/v1/session/oidc"} <= set(cookie.split("; "))
        come_back = await gateway.client.get("/v1/session/oidc/callback", params={"code": "x", "state": "y"})
        assert (come_back.status_code, come_back.json()["error"]["code"]) == (403, "sign_in_refused")
