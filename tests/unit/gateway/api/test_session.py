"""/v1/session: signing in and out under a real server."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.gateway.api.conftest import Gateway

PASSWORD = "correct horse battery"


@pytest.fixture
async def people(environment: pytest.MonkeyPatch, start_gateway: Callable[..., Any]) -> Gateway:
    """A gateway with users, and one of them; its client sends no token."""
    environment.setenv("NEXUS_USERS", "on")
    environment.setenv("NEXUS_PUBLIC_URL", "https://ai.example")
    gateway: Gateway = await start_gateway()
    made = await gateway.client.post("/v1/admin/users", json={"name": "ada", "password": PASSWORD})
    assert made.status_code == 201, made.text
    del gateway.client.headers["authorization"]
    return gateway


async def test_where_clients_come_over_tls_the_cookie_is_for_that_alone(people: Gateway) -> None:
    answer = await people.client.post("/v1/session", json={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-nexus_session=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    for name in ("nexus_session", "__Host-nexus_session"):
        value = cookie.partition("=")[2].partition(";")[0]
        told = await people.client.get("/v1/session", headers={"cookie": f"{name}={value}"})
        assert told.status_code == (200 if name.startswith("__Host-") else 401)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "ada", "password": "wrong"}, 401),
        ({"name": "user:ada", "password": PASSWORD}, 401),
        ({"name": "ada"}, 400),
        ({"name": "ada", "password": PASSWORD, "role": "admin"}, 400),
        ({"name": "ada", "password": ["x"]}, 400),
        ({"name": "ada", "password": "x" * 1025}, 400),
        ([], 400),
    ],
)
async def test_who_is_not_let_in(people: Gateway, body: Any, status: int) -> None:
    answer = await people.client.post("/v1/session", json=body)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert PASSWORD not in answer.text


async def test_a_page_of_another_origin_signs_nobody_in(people: Gateway) -> None:
    body = {"name": "ada", "password": PASSWORD}
    for origin, status in (("https://evil.example", 403), ("https://ai.example", 200)):
        answer = await people.client.post("/v1/session", json=body, headers={"origin": origin})
        assert answer.status_code == status


async def test_the_log_tells_of_both_and_of_no_name_that_was_typed(people: Gateway) -> None:
    for name in ("hunter2", "ada"):
        await people.client.post("/v1/session", json={"name": name, "password": "wrong"})
    await people.client.post("/v1/session", json={"name": "ada", "password": PASSWORD})
    events = [event for _, event, _ in people.logged if "sign" in event]
    assert events == ["sign_in_refused", "sign_in_refused", "signed_in"]
    for secret in ("hunter2", PASSWORD):
        assert secret not in repr(people.logged)


async def test_without_a_session_there_is_nothing_to_end(people: Gateway) -> None:
    assert (await people.client.delete("/v1/session")).status_code == 401
    assert (await people.client.get("/v1/session/oidc")).json()["error"]["code"] == "oidc_off"
