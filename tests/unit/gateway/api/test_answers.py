import pytest
from fastapi import FastAPI, HTTPException


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/models/", 404, "model_not_found"),
        ("GET", "/v1/services/", 404, "not_found"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("HEAD", "/v1/registry", 405, "method_not_allowed"),
        ("DELETE", "/health", 405, "method_not_allowed"),
    ],
)
async def test_what_the_router_refuses_is_in_the_envelope(gateway, method, path, status, code) -> None:
    answer = await gateway.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.json()["error"]["code"] == code
    if status == 405:
        assert answer.headers["allow"]


async def test_validation_and_other_statuses_are_in_the_envelope(start_gateway) -> None:
    def routes(app: FastAPI) -> None:
        @app.get("/number")
        async def number(value: int) -> int:
            return value

        @app.get("/teapot")
        async def teapot() -> None:
            raise HTTPException(418, "short and stout")

    gateway = await start_gateway(routes=routes)
    answer = await gateway.client.get("/number?value=x")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "value"
    assert answer.json()["error"]["code"] == "invalid_request_error"
    answer = await gateway.client.get("/teapot")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "short and stout")
