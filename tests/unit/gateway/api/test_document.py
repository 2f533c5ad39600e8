"""The administrator's document: their paths alone, and one shape for all errors."""

from fastapi import FastAPI

from nexus.gateway.api.document import DOCUMENT, describe


async def test_it_is_told_to_the_administrator_alone(gateway) -> None:
    told = (await gateway.client.get(DOCUMENT)).json()
    assert told["info"]["title"] == "Nexus: administration"
    assert all(path.startswith("/v1/admin/") for path in told["paths"])
    assert told["paths"]["/v1/admin/tokens"]["post"]["responses"]["201"]["content"]
    answer = await gateway.client.get(DOCUMENT, headers={"authorization": "Bearer sk-ada"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


def test_every_error_has_the_envelope_and_what_is_not_valid_is_no_exception() -> None:
    app = FastAPI()

    @app.get("/v1/admin/thing")
    async def thing(number: int) -> None: ...

    @app.get("/v1/models")
    async def models() -> None: ...

    told = describe(app.routes)
    assert list(told["paths"]) == ["/v1/admin/thing"]
    responses = told["paths"]["/v1/admin/thing"]["get"]["responses"]
    assert set(responses) == {"200", "default"}
    reference = responses["default"]["content"]["application/json"]["schema"]["$ref"]
    assert set(told["components"]["schemas"][reference.rpartition("/")[2]]["required"]) == {"error"}
    assert told["security"] == [{"bearer": []}]
