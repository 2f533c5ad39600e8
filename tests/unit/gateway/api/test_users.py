"""/v1/admin/users: what is told of users, and what is refused."""

from typing import Any

import pytest

from tests.unit.gateway.api.conftest import Gateway

PATH = "/v1/admin/users"
PASSWORD = "correct horse battery"


async def test_a_password_that_is_made_is_shown_once(people: Gateway) -> None:
    answer = await people.client.post(PATH, json={"name": "ada", "role": "viewer"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    password = made.pop("password")
    assert len(password) == 24
    assert made == (await people.client.get(f"{PATH}/ada")).json()
    assert made["role"] == "viewer"
    listed = await people.client.get(PATH)
    assert listed.json()["data"] == [made]
    assert password not in listed.text + repr(people.logged)
    signed_in = await people.client.post("/v1/session", json={"name": "ada", "password": password})
    assert signed_in.status_code == 200
    given = await people.client.post(PATH, json={"name": "bob", "password": PASSWORD})
    assert "password" not in given.json()


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "name"),
        ({"name": "a b"}, 400, "name"),
        ({"name": "ada", "password": "too short"}, 400, "password"),
        ({"name": "ada", "role": "root"}, 400, "role"),
        ({"name": "ada", "policy": "unknown"}, 400, "policy"),
        ({"name": "ada", "disabled": 1}, 400, "disabled"),
        ({"name": "taken"}, 409, "name"),
    ],
)
async def test_what_cannot_be_made(people: Gateway, body: Any, status: int, param: str) -> None:
    await people.client.post(PATH, json={"name": "taken", "password": PASSWORD})
    answer = await people.client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


async def test_a_change_of_nothing_is_none(people: Gateway) -> None:
    made = (await people.client.post(PATH, json={"name": "ada", "password": PASSWORD})).json()
    assert (await people.client.patch(f"{PATH}/ada", json={})).json() == made
    assert (await people.client.patch(f"{PATH}/ada", json={"name": "other"})).status_code == 400
    assert (await people.client.patch(f"{PATH}/ada", json={"role": "admin"})).json()["role"] == "admin"
    entries = (await people.client.get("/v1/admin/audit", params={"subject": made["id"]})).json()["data"]
    assert [one["action"] for one in entries] == ["user.change", "user.create"]


async def test_who_is_not_there(people: Gateway) -> None:
    for verb, path, body in (
        ("GET", "/x", None), ("PATCH", "/x", {"role": "user"}), ("DELETE", "/x", None), ("POST", "/x/password", {}),
    ):  # fmt: skip
        answer = await people.client.request(verb, PATH + path, json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, "user"), verb


async def test_only_the_administrator(people: Gateway) -> None:
    for verb, path in (("GET", ""), ("POST", ""), ("GET", "/ada"), ("PATCH", "/ada"), ("DELETE", "/ada")):
        body = {"name": "x"} if verb == "POST" else {} if verb == "PATCH" else None
        answer = await people.client.request(verb, PATH + path, json=body, headers={"authorization": "Bearer sk-ada"})
        assert answer.status_code == 403, verb


async def test_pages(people: Gateway) -> None:
    for name in "abc":
        await people.client.post(PATH, json={"name": name, "password": PASSWORD})
    page = (await people.client.get(PATH, params={"limit": 2})).json()
    assert ([one["name"] for one in page["data"]], page["has_more"]) == (["a", "b"], True)
    rest = (await people.client.get(PATH, params={"after": page["last_id"]})).json()
    assert [one["name"] for one in rest["data"]] == ["c"]
    assert (await people.client.get(PATH, params={"after": "x"})).status_code == 400
