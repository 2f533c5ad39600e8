"""/v1/admin/routes/explain: who may ask, and what cannot be meant."""

from typing import Any

import pytest

from nexus.gateway.config import parse_config
from tests.unit.gateway.api.conftest import Gateway, make_instance

PATH = "/v1/admin/routes/explain"
CONFIG = """
policies: {kids: {models: ["small"]}}
tokens: [{name: kid, policy: kids, sha256: "%s"}]
routes:
  - {when: {policy: kids, has_images: true}, deny: no pictures}
  - {when: {model: chat}, use: {model: big}}
""" % ("ab" * 32)


def use(gateway: Gateway) -> None:
    gateway.config = parse_config(CONFIG)
    gateway.parts.tokens.apply_config(gateway.config)
    gateway.parts.gate.router.hold(gateway.config.routes, gateway.config.aliases)


async def ask(gateway: Gateway, **question: Any) -> dict[str, Any]:
    answer = await gateway.client.post(PATH, json=question)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_it_tells_where_a_call_would_go(gateway: Gateway) -> None:
    gateway.show(make_instance("llm", models=[{"id": "small"}, {"id": "big"}]))
    use(gateway)
    told = await ask(gateway, model="chat")
    assert (told["rule"], told["header"], told["model"], told["status"]) == (2, "2; use model=big", "big", 200)
    assert told["targets"] == [{"model": "big", "service": "llm", "instance": "http://llm:8000"}]
    told = await ask(gateway, model="chat", policy="kids")
    assert (told["status"], told["targets"]) == (403, [])
    assert "may not use the model 'big'" in told["message"]
    told = await ask(gateway, model="small", token="kid", has_images=True)
    assert (told["rule"], told["status"], told["message"], told["header"]) == (1, 403, "no pictures", "1; deny")
    told = await ask(gateway, model="small", token="kid")
    assert (told["rule"], told["header"], told["status"]) == (None, None, 200)


@pytest.mark.parametrize(
    ("question", "status", "told"),
    [
        ({"operation": "chat.completion"}, 400, "no operation"),
        ({"policy": "kid"}, 400, "Did you mean 'kids'"),
        ({"token": "eve"}, 404, "There is no token 'eve'"),
        ({"token": "kid", "policy": "kids"}, 400, "name one of the two"),
        ({"modl": "x"}, 400, "modl"),
    ],
)
async def test_what_cannot_be_meant(gateway: Gateway, question: dict[str, Any], status: int, told: str) -> None:
    use(gateway)
    answer = await gateway.client.post(PATH, json=question)
    assert (answer.status_code, told in answer.json()["error"]["message"]) == (status, True), answer.text


async def test_nobody_else_may_ask(gateway: Gateway) -> None:
    answer = await gateway.client.post(PATH, json={}, headers={"authorization": "Bearer sk-ada"})
    assert answer.status_code == 403
