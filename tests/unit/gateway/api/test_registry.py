import asyncio

import pytest

AUTH = {"authorization": "Bearer s3cret"}


async def test_a_service_announces_itself_and_leaves(gateway) -> None:
    for _ in range(2):
        answer = await gateway.client.post("/v1/registry", json={"base_url": "http://New:9000/"}, headers=AUTH)
        assert answer.status_code == 200
        assert answer.json() == {
            "base_url": "http://new:9000",
            "heartbeat_seconds": 5.0,
            "expires_in_seconds": 15,
        }
    assert [one.url for one in await gateway.parts.announce.listings()] == ["http://new:9000"]
    leave = {"json": {"base_url": "http://new:9000"}, "headers": AUTH}
    answer = await gateway.client.request("DELETE", "/v1/registry", **leave)
    assert answer.json() == {"base_url": "http://new:9000", "deleted": True}
    assert await gateway.parts.announce.listings() == ()
    assert (await gateway.client.request("DELETE", "/v1/registry", **leave)).status_code == 404


async def test_an_announcement_wakes_the_watcher_at_once(gateway) -> None:
    await gateway.parts.registry.start()
    await gateway.client.post("/v1/registry", json={"base_url": "http://127.0.0.1:1"}, headers=AUTH)
    async with asyncio.timeout(3):  # the discovery interval is 5 seconds
        while not gateway.parts.registry.snapshot.instances:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "headers", [{"authorization": ""}, {"authorization": "Bearer sk-test"}, {"authorization": "s3cret"}]
)
async def test_only_the_secret_lets_in(gateway, headers) -> None:
    for method in ("POST", "DELETE"):
        answer = await gateway.client.request(method, "/v1/registry", json={"base_url": "http://a:1"}, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


async def test_without_a_secret_it_is_not_there(environment, start_gateway) -> None:
    environment.delenv("NEXUS_REGISTRATION_SECRET")
    gateway = await start_gateway(announce=None)
    answer = await gateway.client.post("/v1/registry", json={"base_url": "http://a:1"}, headers=AUTH)
    assert answer.status_code == 404
    assert "NEXUS_REGISTRATION_SECRET" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[]", 400, "base_url: "),
        (b"{}", 400, "base_url: "),
        (b'{"base_url": 5}', 400, "base_url: "),
        (b'{"base_url": "tts:8000"}', 400, "base_url: 'tts:8000' is not"),
        (b'{"base_url": "http://:hidden@tts:0"}', 400, "base_url: 'http://tts:0'"),
        (b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400, ""),
        (b" " * 70_000, 413, "at most 65536 bytes"),
    ],
)
async def test_a_bad_announcement_is_told_clearly(gateway, body: bytes, status: int, message: str) -> None:
    answer = await gateway.client.post("/v1/registry", content=body, headers=AUTH)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert "hidden" not in answer.text
