"""The seam to the provider: what is asked and what is kept. What is not believed: tests/system/test_oidc.py."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.users.oidc import Provider, ProviderSettings, is_safe, state_of
from tests.servers.clock import Clock
from tests.servers.oidc_provider import CLIENT, SECRET, OidcProvider

BACK = "http://127.0.0.1:8800/v1/session/oidc/callback"


@pytest.fixture
def issuer() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        yield provider


def made(at: OidcProvider, clock: Clock, **changes: str) -> Provider:
    settings = {"issuer": at.issuer, "client_id": CLIENT, "client_secret": SECRET, "scopes": "openid email"}
    return Provider(ProviderSettings(**{**settings, **changes}), lambda *_, **__: None, clock)


async def test_nothing_that_the_browser_keeps_is_in_the_url(issuer: OidcProvider) -> None:
    url = await made(issuer, Clock(1e9)).authorization_url("the secret", BACK)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked["state"] == state_of("the secret")
    assert (asked["redirect_uri"], asked["scope"], asked["code_challenge_method"]) == (BACK, "openid email", "S256")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert "secret" not in url


async def test_what_it_says_of_itself_is_asked_again_after_an_hour(issuer: OidcProvider) -> None:
    clock = Clock(1e9)
    provider = made(issuer, clock)
    for later, asked in ((0, 2), (3599, 2), (3600, 4)):
        clock.now = 1e9 + later
        await provider.authorization_url("x", BACK)
        assert len(issuer.asked) == asked


async def test_a_client_that_is_another_is_refused(issuer: OidcProvider) -> None:
    with pytest.raises(ApiError) as caught:
        await made(issuer, Clock(1e9), client_secret="wrong").claims("x", "made up", BACK)
    assert (caught.value.status, caught.value.code) == (403, "sign_in_refused")


async def test_one_that_is_away_is_502(issuer: OidcProvider) -> None:
    with pytest.raises(ApiError) as caught:
        await made(issuer, Clock(1e9), issuer="http://127.0.0.1:9/realm").authorization_url("x", BACK)
    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example/x", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]/x", True),
        ("http://localhost:1", True),
        ("http://id.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("http://[", False),
    ],
)
def test_over_tls_or_on_this_machine(url: str, safe: bool) -> None:
    assert is_safe(url) is safe
