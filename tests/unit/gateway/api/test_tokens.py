"""/v1/admin/tokens: who may do what there, what is told, and what never is."""

import time
from typing import Any

import httpx
import pytest

from nexus.gateway.config import Config
from nexus.gateway.edge.auth import MADE, digest
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from tests.unit.gateway.api.conftest import Gateway

PATH = "/v1/admin/tokens"
DECLARED = Token(digest("sk-file"), "file/one", Policy("kids"), 3e9)


async def create(gateway: Gateway, name: str = "ci", **fields: Any) -> dict[str, Any]:
    answer = await gateway.client.post(PATH, json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def use(gateway: Gateway, *tokens: Token, **policies: Policy) -> None:
    gateway.config = Config(tokens=tokens, policies=policies)
    gateway.parts.tokens.apply_config(gateway.config)


async def works(gateway: Gateway, token: str) -> bool:
    answer = await gateway.client.get("/v1/models", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def told(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["code"]


async def test_a_token_is_shown_once_and_let_in_at_once(gateway: Gateway) -> None:
    use(gateway, kids=Policy("kids"))
    answer = await gateway.client.post(
        PATH, json={"name": "ci", "owner": "Ada", "policy": "kids", "expires": "2999-01-01"}
    )
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    token = made.pop("token")
    assert token.startswith(MADE)
    assert len(token) > 40
    assert made == {
        "id": made["id"],
        "object": "token",
        "name": "ci",
        "owner": "Ada",
        "policy": "kids",
        "state": "active",
        "created_at": pytest.approx(time.time(), abs=5),
        "expires_at": 32472144000,
        "last_used_at": None,
        "revoked_at": None,
        "source": "api",
        "read_only": False,
    }
    assert await works(gateway, token)
    for path in (f"{PATH}/ci", f"{PATH}/{made['id']}"):
        shown = await gateway.client.get(path)
        assert shown.json() == {**made, "usage": None}
    listed = await gateway.client.get(PATH)
    assert listed.json()["data"] == [made]
    for secret in (token, digest(token).hex()):
        assert secret not in listed.text
        assert secret not in repr(gateway.logged) + repr(gateway.records)


async def test_rotation_keeps_all_but_the_secret(gateway: Gateway) -> None:
    made = await create(gateway, owner="Ada")
    answer = await gateway.client.post(f"{PATH}/ci/rotate")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    rotated = answer.json()
    old, new = made.pop("token"), rotated.pop("token")
    assert rotated == made
    assert (await works(gateway, old), await works(gateway, new)) == (False, True)


async def test_a_revoked_token_is_out_and_its_name_free(gateway: Gateway) -> None:
    made = await create(gateway)
    answer = await gateway.client.delete(f"{PATH}/ci")
    assert answer.json() == {"id": made["id"], "object": "token", "name": "ci", "deleted": True}
    assert not await works(gateway, made["token"])
    assert (await gateway.client.get(f"{PATH}/ci")).status_code == 404
    shown = (await gateway.client.get(f"{PATH}/{made['id']}")).json()
    assert (shown["state"], shown["revoked_at"]) == ("revoked", pytest.approx(time.time(), abs=5))
    for verb, path in (("DELETE", PATH + "/ci"), ("DELETE", f"{PATH}/{made['id']}"), ("POST", f"{PATH}/ci/rotate")):
        assert told(await gateway.client.request(verb, path)) == (404, "token", "not_found")
    assert (await create(gateway))["id"] != made["id"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "ci", "policy": "kid"}, "policy"),
        ({"name": "ci", "expires": "2020-01-01"}, "expires"),
        ({"name": "ci", "expires": "soon"}, "expires"),
        ({"name": "a b"}, "name"),
        ({}, "name"),
        ({"name": "ci", "sha256": "0" * 64}, "sha256"),
        ([], None),
        ("{", None),
        (None, None),
    ],
)
async def test_a_wrong_request_names_what_is_wrong(gateway: Gateway, body: Any, param: str | None) -> None:
    use(gateway, kids=Policy("kids"))
    sent = {"content": body, "headers": {"content-type": "application/json"}} if body == "{" else {"json": body}
    answer = await gateway.client.post(PATH, **({} if body is None else sent))  # type: ignore[arg-type]
    assert told(answer) == (400, param, "invalid_request_error")
    assert (await gateway.client.get(PATH)).json()["data"] == []


async def test_an_unknown_policy_tells_of_the_near_ones(gateway: Gateway) -> None:
    use(gateway, kids=Policy("kids"))
    answer = await gateway.client.post(PATH, json={"name": "ci", "policy": "kid"})
    assert "'kids'" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["ci", "administrator", "anonymous", "declared"])
async def test_a_taken_name_is_409(gateway: Gateway, name: str) -> None:
    use(gateway, Token(digest("sk-declared"), "declared"))
    await create(gateway)
    assert told(await gateway.client.post(PATH, json={"name": name})) == (409, "name", "conflict")


async def test_what_the_file_declares_is_shown_and_not_changed(gateway: Gateway) -> None:
    use(gateway, DECLARED, kids=Policy("kids"))
    (shown,) = (await gateway.client.get(PATH)).json()["data"]
    assert (shown["name"], shown["policy"], shown["source"]) == ("file/one", "kids", "nexus.yaml")
    assert (shown["read_only"], shown["expires_at"], shown["state"]) == (True, 3_000_000_000, "active")
    path = f"{PATH}/{shown['id']}"
    assert (await gateway.client.get(path)).json() == {**shown, "usage": None}
    for verb, ending in (("DELETE", ""), ("POST", "/rotate")):
        assert told(await gateway.client.request(verb, path + ending)) == (403, None, "read_only")
    assert await works(gateway, "sk-file")


async def test_states(gateway: Gateway) -> None:
    use(gateway, kids=Policy("kids"))
    made = await create(gateway, "kid", policy="kids")
    await create(gateway, "plain")
    use(gateway, Token(digest("sk-plain"), "plain"))
    states = {(one["name"], one["source"]): one["state"] for one in (await gateway.client.get(PATH)).json()["data"]}
    assert states == {("plain", "nexus.yaml"): "active", ("kid", "api"): "powerless", ("plain", "api"): "shadowed"}
    assert (await gateway.client.get(f"{PATH}/plain")).json()["read_only"]
    use(gateway, kids=Policy("kids"))
    assert (await gateway.client.get(f"{PATH}/{made['id']}")).json()["state"] == "active"


async def test_an_expired_token_is_out_and_cannot_be_rotated(gateway: Gateway) -> None:
    opened = await gateway.parts.store.opened()
    made = await create(gateway)
    kept = await opened.tokens.find("ci")
    assert kept is not None
    async with opened.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE tokens SET expires_at = 5")
        await connection.exec_driver_sql("UPDATE versions SET version = version + 1")
    await gateway.parts.tokens.look()
    assert not await works(gateway, made["token"])
    assert (await gateway.client.get(f"{PATH}/ci")).json()["state"] == "expired"
    assert (await gateway.client.post(f"{PATH}/ci/rotate")).status_code == 409


async def test_the_list_has_pages(gateway: Gateway) -> None:
    use(gateway, Token(digest("sk-declared"), "declared"))
    for name in ("a", "b", "c"):
        await create(gateway, name)
    names: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = (await gateway.client.get(PATH, params={"limit": 2, **after})).json()
        names += [one["name"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert names == ["declared", "a", "b", "c"]
    assert told(await gateway.client.get(PATH, params={"after": "nobody"})) == (400, "after", "invalid_request_error")
    assert told(await gateway.client.get(PATH, params={"limit": 0}))[:2] == (400, "limit")


async def test_only_the_administrator(gateway: Gateway) -> None:
    made = await create(gateway, "zoe")
    for token in ("sk-ada", made["token"]):
        for verb, path in (
            ("GET", PATH), ("POST", PATH), ("GET", f"{PATH}/zoe"), ("POST", f"{PATH}/zoe/rotate"),
            ("DELETE", f"{PATH}/zoe"), ("GET", "/v1/admin/audit"),
        ):  # fmt: skip
            body = {"json": {"name": "more"}} if (verb, path) == ("POST", PATH) else {}
            answer = await gateway.client.request(verb, path, headers={"authorization": f"Bearer {token}"}, **body)
            assert told(answer) == (403, None, "permission_denied"), (verb, path)
    assert [one["name"] for one in (await gateway.client.get(PATH)).json()["data"]] == ["zoe"]


async def test_the_last_use_of_the_control_plane_counts_too(gateway: Gateway) -> None:
    made = await create(gateway)
    assert await works(gateway, made["token"])
    await gateway.parts.tokens.write()
    shown = (await gateway.client.get(f"{PATH}/ci")).json()
    assert shown["last_used_at"] == pytest.approx(time.time(), abs=5)


async def test_all_of_it_is_in_the_document(start_gateway) -> None:
    documents: list[dict[str, Any]] = []
    await start_gateway(routes=lambda app: documents.append(app.openapi()))
    paths = documents[0]["paths"]
    assert {verb for path in paths if path.startswith(PATH) for verb in paths[path]} == {"get", "post", "delete"}
    assert "/v1/admin/audit" in paths
    schema = documents[0]["components"]["schemas"]["NewToken"]
    assert (set(schema["properties"]), schema["required"]) == ({"name", "owner", "policy", "expires"}, ["name"])
