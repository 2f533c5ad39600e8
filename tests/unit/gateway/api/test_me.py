"""/v1/me: for those who are signed in, and only about themselves."""

from typing import Any

import httpx
import pytest

from nexus.gateway.api import me
from tests.unit.gateway.api.conftest import Gateway

PASSWORD = "correct horse battery"
TOKENS = "/v1/me/tokens"


@pytest.fixture
async def people(people: Gateway) -> Gateway:
    for name in ("ada", "bob"):
        await people.client.post("/v1/admin/users", json={"name": name, "password": PASSWORD})
    return people


async def signed_in(people: Gateway, name: str) -> dict[str, str]:
    """The headers of a browser in which somebody is signed in."""
    answer = await people.client.post("/v1/session", json={"name": name, "password": PASSWORD})
    people.client.cookies.clear()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return {"cookie": cookie, "x-csrf-token": answer.json()["csrf_token"]}


async def ask(people: Gateway, who: dict[str, str], verb: str, path: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=people.client.base_url, trust_env=False) as client:
        return await client.request(verb, path, json=body, headers=who)


async def test_nobody_sees_or_ends_what_is_anothers(people: Gateway) -> None:
    ada, bob = await signed_in(people, "ada"), await signed_in(people, "bob")
    made = (await ask(people, ada, "POST", TOKENS, {"name": "laptop"})).json()
    assert (await ask(people, bob, "GET", TOKENS)).json()["data"] == []
    for named in (made["id"], "laptop", "user:ada/laptop"):
        assert (await ask(people, bob, "DELETE", f"{TOKENS}/{named}")).status_code == 404
    assert (await ask(people, bob, "POST", TOKENS, {"name": "laptop"})).status_code == 201
    shown = (await ask(people, ada, "GET", TOKENS)).json()["data"]
    assert shown == [{key: value for key, value in made.items() if key != "token"}]
    assert (await ask(people, ada, "DELETE", f"{TOKENS}/{made['id']}")).status_code == 200


async def test_a_token_makes_no_further_ones(people: Gateway) -> None:
    answer = await people.client.post(TOKENS, json={"name": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("body", [{"name": "a/b"}, {"name": "a", "expires": "2020-01-01"}, {"name": "a", "owner": "b"}])
async def test_what_cannot_be_made(people: Gateway, body: Any) -> None:
    assert (await ask(people, await signed_in(people, "ada"), "POST", TOKENS, body)).status_code == 400


async def test_there_are_only_so_many(people: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(me, "TOKENS_OF_A_USER", 1)
    ada = await signed_in(people, "ada")
    made = [(await ask(people, ada, "POST", TOKENS, {"name": name})).status_code for name in ("a", "b")]
    assert made == [201, 409]


async def test_what_is_done_is_in_the_audit_log_by_its_users_name(people: Gateway) -> None:
    ada = await signed_in(people, "ada")
    made = (await ask(people, ada, "POST", TOKENS, {"name": "a"})).json()
    await ask(people, ada, "DELETE", f"{TOKENS}/a")
    body = {"current": PASSWORD, "password": "another password"}
    assert (await ask(people, ada, "POST", "/v1/me/password", body)).status_code == 200
    entries = (await people.client.get("/v1/admin/audit", params={"actor": "user:ada"})).json()["data"]
    assert [one["action"] for one in entries] == ["user.password", "token.revoke", "token.create"]
    assert made["token"] not in repr(entries)
    assert (await ask(people, ada, "GET", TOKENS)).status_code == 401
