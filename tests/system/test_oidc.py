"""Signing in by a real provider's word, and by one that lies."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.servers.gateway import Gateway
from tests.servers.oidc_provider import CLIENT, SECRET, OidcProvider, by, new_key, signed, unsigned

SESSION = "/v1/session"


@pytest.fixture(scope="module")
def provider_of_module() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def asking(provider_of_module: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that believes the provider; nothing of what that has issued may be in its log."""
    folder: Path = tmp_path_factory.mktemp("oidc")
    (folder / "client_secret").write_text(SECRET + "\n")
    env = {
        "NEXUS_USERS": "on",
        "NEXUS_OIDC_ISSUER": provider_of_module.issuer,
        "NEXUS_OIDC_CLIENT_ID": CLIENT,
        "NEXUS_OIDC_CLIENT_SECRET_FILE": str(folder / "client_secret"),
        "NEXUS_OIDC_ADMIN_GROUP": "nexus admins",
    }
    with Gateway(folder, env=env) as gateway:
        gateway.wait_for_storage()
        yield gateway
    told = gateway.stdout.read_text() + gateway.stderr.read_text()
    assert provider_of_module.issued
    for secret in filter(None, (SECRET, *provider_of_module.issued)):
        assert secret not in told


@pytest.fixture
def provider(provider_of_module: OidcProvider) -> OidcProvider:
    """Honest again, with a user whom nobody knows."""
    provider_of_module.claims = {"sub": f"subject-{time.monotonic_ns()}", "preferred_username": "grace"}
    provider_of_module.sign = signed
    provider_of_module.discovery = {}
    return provider_of_module


@pytest.fixture
def browser(asking: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=asking.url, trust_env=False) as client:
        yield client


def begin(browser: httpx.Client) -> str:
    """The URL that the browser comes back to."""
    answer = browser.get("/v1/session/oidc")
    assert answer.status_code == 303, answer.text
    sent = httpx.get(answer.headers["location"], trust_env=False)
    assert sent.status_code == 302, sent.text
    return sent.headers["location"]


def sign_in(browser: httpx.Client) -> httpx.Response:
    return browser.get(begin(browser))


def refused(answer: httpx.Response) -> bool:
    told = (answer.status_code, answer.json()["error"]["code"])
    return told == (403, "sign_in_refused") and "nexus_session" not in answer.headers.get("set-cookie", "")


def test_a_first_sign_in_makes_a_user_who_is_known_again(browser: httpx.Client, provider: OidcProvider) -> None:
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/"), answer.text
    told = browser.get(SESSION).json()
    assert told["role"] == "viewer"
    assert told["user"]["name"].startswith("grace")
    browser.cookies.clear()
    provider.claims |= {"preferred_username": "another", "email": "other@example.com"}
    assert sign_in(browser).status_code == 303
    assert browser.get(SESSION).json()["user"] == told["user"]


def test_the_same_name_or_address_is_not_the_same_user(
    asking: Gateway, browser: httpx.Client, provider: OidcProvider
) -> None:
    body = {"name": "root@example.com", "password": "a good long password", "role": "admin"}
    made = asking.post("/v1/admin/users", body)
    assert made.status == 201
    provider.claims |= {"preferred_username": "root@example.com", "email": "root@example.com", "email_verified": True}
    assert sign_in(browser).status_code == 303
    told = browser.get(SESSION).json()
    assert told["user"]["id"] != made.json()["id"]
    assert told["role"] == "viewer"
    assert browser.get("/v1/admin/users").status_code == 403


def test_a_group_makes_an_admin_for_as_long_as_one_is_in_it(browser: httpx.Client, provider: OidcProvider) -> None:
    provider.claims["groups"] = ["others", "nexus admins"]
    sign_in(browser)
    assert browser.get("/v1/admin/users").status_code == 200
    provider.claims["groups"] = ["others"]
    sign_in(browser)
    assert browser.get(SESSION).json()["role"] == "viewer"
    assert browser.get("/v1/admin/users").status_code == 403


def test_who_is_disabled_is_not_let_in(asking: Gateway, browser: httpx.Client, provider: OidcProvider) -> None:
    sign_in(browser)
    identity = browser.get(SESSION).json()["user"]["id"]
    asking.post(f"/v1/admin/users/{identity}", {"disabled": True}, method="PATCH")
    assert browser.get(SESSION).status_code == 401
    assert sign_in(browser).status_code == 403
    assert browser.get(SESSION).status_code == 401


def stranger(_: OidcProvider, claims: dict[str, Any]) -> str:
    return by(new_key(), claims)


def impostor(provider: OidcProvider, claims: dict[str, Any]) -> str:
    """Another key that calls itself by the name of the provider's."""
    key = new_key()
    return jwt.encode({"alg": "RS256", "kid": str(provider.keys[-1].kid)}, claims, key)


def by_secret(provider: OidcProvider, claims: dict[str, Any]) -> str:
    """With what both sides know, and with what everybody does: the public key as if it were a secret."""
    public = provider.keys[-1].as_pem(private=False)
    return jwt.encode(
        {"alg": "HS256", "kid": str(provider.keys[-1].kid)}, claims, OctKey.import_key(public.replace(b"-----", b""))
    )


@pytest.mark.parametrize("sign", [unsigned, stranger, impostor, by_secret, lambda *_: "x.y.z", lambda *_: ""])
def test_a_signature_that_is_none(browser: httpx.Client, provider: OidcProvider, sign: Any) -> None:
    provider.sign = sign
    assert refused(sign_in(browser))
    assert browser.get(SESSION).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": ["another client"]},
        {"aud": [CLIENT, "another client"]},
        {"azp": "another client"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"iat": 4_000_000_000, "exp": 4_000_000_300},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"exp": None},
    ],
)
def test_a_claim_that_is_wrong(browser: httpx.Client, provider: OidcProvider, claims: dict[str, Any]) -> None:
    provider.sign = lambda one, given: signed(one, {k: v for k, v in {**given, **claims}.items() if v is not None})
    assert refused(sign_in(browser))
    assert browser.get(SESSION).status_code == 401


def test_keys_may_be_replaced(browser: httpx.Client, provider: OidcProvider) -> None:
    assert sign_in(browser).status_code == 303
    provider.keys.append(new_key())
    del provider.keys[0]
    assert sign_in(browser).status_code == 303
    asked = len(provider.asked)
    assert sign_in(browser).status_code == 303
    assert provider.asked[asked:] == ["/realm/authorize", "/realm/token"]  # nothing is asked again that is known


def test_what_comes_back_works_once_and_in_the_browser_that_began(
    asking: Gateway, browser: httpx.Client, provider: OidcProvider
) -> None:
    back = begin(browser)
    with httpx.Client(base_url=asking.url, trust_env=False) as other:
        assert refused(other.get(back))  # without the cookie
        begin(other)
        assert refused(other.get(back))  # with one of its own
    secret = browser.cookies["nexus_sign_in"]
    assert browser.get(back).status_code == 303
    assert "nexus_sign_in" not in browser.cookies
    with httpx.Client(base_url=asking.url, trust_env=False) as again:
        again.cookies.set("nexus_sign_in", secret)
        assert refused(again.get(back))
    place = urlsplit(begin(browser))
    asked = {name: values[0] for name, values in parse_qs(place.query).items()}
    for wrong in ({"state": "x"}, {"iss": "https://evil.example"}, {"code": "made up"}):
        begin(browser)
        url = f"{place.path}?{urlencode({**asked, **wrong})}"
        assert refused(browser.get(url)), wrong


def test_what_the_provider_refuses(browser: httpx.Client, provider: OidcProvider) -> None:
    place = urlsplit(begin(browser))
    state = parse_qs(place.query)["state"][0]
    answer = browser.get(f"{place.path}?{urlencode({'error': 'access_denied', 'state': state})}")
    assert refused(answer)
    assert "access_denied" in answer.json()["error"]["message"]


def test_users_of_a_provider_have_no_password(asking: Gateway, browser: httpx.Client, provider: OidcProvider) -> None:
    sign_in(browser)
    user = browser.get(SESSION).json()["user"]
    assert asking.post(f"/v1/admin/users/{user['id']}/password", {}).status == 409
    answer = browser.post(SESSION, json={"name": user["name"], "password": "whatever it may be"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"authorization_endpoint": None},
    ],
)
def test_a_provider_that_is_not_who_it_should_be(
    tmp_path: Path, provider: OidcProvider, discovery: dict[str, Any]
) -> None:
    provider.discovery = discovery
    env = {"NEXUS_USERS": "on", "NEXUS_OIDC_ISSUER": provider.issuer, "NEXUS_OIDC_CLIENT_ID": CLIENT}
    with Gateway(tmp_path, env=env) as gateway:
        answer = gateway.get("/v1/session/oidc", token=None)
        assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_error")
        assert gateway.get("/v1/models").status == 200
