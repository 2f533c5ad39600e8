import re

import pytest
from fastapi import FastAPI


@pytest.mark.parametrize("path", ["/v1/models", "/v1/services", "/v1/metadata", "/nowhere", "/v1/models/x", "/"])
async def test_without_the_token_nothing_is_told(gateway, path: str) -> None:
    for headers in ({"authorization": ""}, {"authorization": "Bearer wrong"}):
        answer = await gateway.client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


async def test_with_authentication_off_everyone_is_let_in(environment, start_gateway) -> None:
    environment.setenv("NEXUS_AUTH", "off")
    gateway = await start_gateway()
    assert (await gateway.client.get("/v1/models", headers={"authorization": ""})).status_code == 200


async def test_this_machine_may_read_the_metrics_unless_it_is_a_proxy(gateway) -> None:
    assert (await gateway.client.get("/metrics", headers={"authorization": ""})).status_code == 200
    for name in ("x-forwarded-for", "forwarded", "x-real-ip"):
        answer = await gateway.client.get("/metrics", headers={name: "127.0.0.1"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


async def test_a_name_made_to_lead_here_does_not_read_the_metrics_without_a_token(gateway) -> None:
    for host, status in (
        ("localhost:1", 200),
        ("[::1]:8800", 200),
        ("evil.example", 401),
        ("127.0.0.1.evil.example", 401),
    ):
        answer = await gateway.client.get("/metrics", headers={"authorization": "", "host": host})
        assert answer.status_code == status
    assert (await gateway.client.get("/metrics", headers={"host": "evil.example"})).status_code == 200


async def test_what_is_closed_is_closed_to_an_address_with_a_good_token_too(environment, start_gateway) -> None:
    environment.setenv("NEXUS_METRICS_ALLOW", "192.0.2.0/24")
    environment.setenv("NEXUS_ADMIN_ALLOW", "192.0.2.1")
    gateway = await start_gateway()
    for path in ("/metrics", "/v1/admin", "/v1/admin/tokens", "/v1/%61dmin/tokens"):
        answer = await gateway.client.get(path, headers={"x-request-id": "mine"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
        assert "127.0.0.1" in answer.json()["error"]["message"]
        assert answer.headers["x-request-id"] == "mine"
        assert gateway.records[-1]["status"] == 403
    assert (await gateway.client.get("/v1/administer")).status_code == 404
    assert (await gateway.client.get("/v1/models")).status_code == 200


async def test_a_trusted_proxy_says_whose_request_it_is(environment, start_gateway) -> None:
    environment.setenv("NEXUS_TRUSTED_PROXIES", "127.0.0.0/8")
    environment.setenv("NEXUS_METRICS_ALLOW", "192.0.2.0/24,127.0.0.1")
    gateway = await start_gateway()
    cases = [
        ("192.0.2.7", "", 401),  # from elsewhere, a token is needed
        ("192.0.2.7", "Bearer sk-test", 200),
        ("192.0.2.7, 127.0.0.9", "Bearer sk-test", 200),
        ("192.0.2.7, 203.0.113.9", "Bearer sk-test", 403),
        ("127.0.0.1, 203.0.113.9", "Bearer sk-test", 403),
        ("127.0.0.1, unknown", "Bearer sk-test", 403),
        ("127.0.0.1", "", 200),
    ]
    for value, token, status in cases:
        headers = {"authorization": token, "x-forwarded-for": value}
        assert (await gateway.client.get("/metrics", headers=headers)).status_code == status, value


async def test_without_authentication_no_web_page_is_let_in(environment, start_gateway) -> None:
    environment.setenv("NEXUS_AUTH", "off")
    gateway = await start_gateway()
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await gateway.client.get("/v1/models", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert (await gateway.client.get("/v1/models")).status_code == 200


async def test_a_sane_request_id_is_kept_and_another_replaced(gateway) -> None:
    for sane in ("a", "req-1.2_3", "x" * 128):
        answer = await gateway.client.get("/health", headers={"x-request-id": sane})
        assert answer.headers["x-request-id"] == sane
    for odd in ("", "a b", "x" * 129, "é"):
        answer = await gateway.client.get("/health", headers={"x-request-id": odd.encode()})
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", answer.headers["x-request-id"])
        assert answer.headers["x-request-id"] != odd
    assert "x-request-id" in (await gateway.client.get("/v1/models", headers={"authorization": ""})).headers


@pytest.mark.parametrize("target", ["/v1/jobs/%00", "/v1/files?after=a%00b", "/v1/artifacts/%00"])
async def test_a_nul_in_the_target_is_refused_before_a_database_trips_over_it(gateway, target: str) -> None:
    answer = await gateway.client.get(target)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert gateway.records[-1]["status"] == 400


async def test_each_request_is_recorded_once(gateway) -> None:
    await gateway.client.get("/v1/services/unknown?x=1", headers={"x-request-id": "mine"})
    await gateway.client.get("/nowhere")
    await gateway.client.get("/v1/models", headers={"authorization": ""})
    await gateway.client.head("/v1/models")
    told = [(one["method"], one["path"], one["status"]) for one in gateway.records]
    assert told == [
        ("GET", "/v1/services/{name}", 404),
        ("GET", "unmatched", 404),
        ("GET", "unmatched", 401),
        ("HEAD", "/v1/models", 200),
    ]
    assert gateway.records[0]["request_id"] == "mine"
    assert 0 <= gateway.records[0]["seconds"] < 10


async def test_a_fault_is_a_500_in_the_envelope_and_is_logged(start_gateway) -> None:
    def routes(app: FastAPI) -> None:
        @app.get("/fault")
        async def fault() -> None:
            raise RuntimeError("secret detail")

    gateway = await start_gateway(routes=routes)
    answer = await gateway.client.get("/fault", headers={"x-request-id": "mine"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "mine"
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text
    failures = [fields for _, event, fields in gateway.logged if event == "request_failed"]  # storage opens meanwhile
    assert [fields["request_id"] for fields in failures] == ["mine"]
    assert gateway.records[-1]["status"] == 500


async def test_head_works_where_get_does(gateway) -> None:
    for path in ("/health", "/readyz", "/metrics", "/v1/metadata", "/v1/models", "/v1/services"):
        got, headed = await gateway.client.get(path), await gateway.client.head(path)
        assert headed.status_code == got.status_code
        assert headed.content == b""
        assert headed.headers["content-length"] == str(len(got.content))
