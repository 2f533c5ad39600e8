from nexus.contract.card import read_card


async def test_the_gateway_has_a_card_like_every_service(gateway, instance) -> None:
    gateway.show(instance("llm", models=[{"id": "m"}]))
    answer = await gateway.client.get("/v1/metadata")
    assert answer.headers["content-type"] == "application/json"
    card = read_card(answer.content)
    assert [model.id for model in card.models] == ["m"]


async def test_nothing_is_served_that_nobody_asked_for(gateway) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await gateway.client.get(path)).status_code == 404
