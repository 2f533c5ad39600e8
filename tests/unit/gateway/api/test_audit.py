"""/v1/admin/audit: what was done, newest first."""

import time

import pytest

from tests.unit.gateway.api.conftest import Gateway

PATH = "/v1/admin/audit"


async def test_what_was_done_to_a_token_is_told_without_its_secret(gateway: Gateway) -> None:
    made = (await gateway.client.post("/v1/admin/tokens", json={"name": "ci", "owner": "Ada"})).json()
    rotated = (await gateway.client.post("/v1/admin/tokens/ci/rotate")).json()
    await gateway.client.delete("/v1/admin/tokens/ci")
    answer = await gateway.client.get(PATH)
    page = answer.json()
    assert [one["action"] for one in page["data"]] == ["token.revoke", "token.rotate", "token.create"]
    first = page["data"][-1]
    assert first == {
        "id": "1",
        "object": "audit.entry",
        "created_at": pytest.approx(time.time(), abs=5),
        "actor": "administrator",
        "action": "token.create",
        "subject": made["id"],
        "details": {"name": "ci", "owner": "Ada", "policy": "default", "expires_at": None},
    }
    assert made["token"] not in answer.text
    assert rotated["token"] not in answer.text


async def test_pages_and_what_is_asked_for(gateway: Gateway) -> None:
    for name in ("a", "b", "c"):
        await gateway.client.post("/v1/admin/tokens", json={"name": name})
    await gateway.client.delete("/v1/admin/tokens/b")

    async def ids(**params: str | int) -> tuple[list[str], bool]:
        page = (await gateway.client.get(PATH, params=params)).json()
        return [one["id"] for one in page["data"]], page["has_more"]

    assert await ids(limit=3) == (["4", "3", "2"], True)
    assert await ids(limit=3, after=2) == (["1"], False)
    assert await ids(action="token.revoke") == (["4"], False)
    assert await ids(actor="nobody") == ([], False)


@pytest.mark.parametrize(("param", "value"), [("limit", "0"), ("after", "x"), ("after", str(2**64))])
async def test_a_wrong_page_is_400(gateway: Gateway, param: str, value: str) -> None:
    answer = await gateway.client.get(PATH, params={param: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
