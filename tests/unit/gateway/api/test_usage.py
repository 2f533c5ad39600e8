"""/v1/usage and what the administrator is told: of budgets, what is used and what the limit is."""

import time
from typing import Any

from nexus.gateway.api.shown import TokenWithUsage
from nexus.gateway.config import Config
from nexus.gateway.edge.auth import digest
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.periods import day_of, month_of, zone_of
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.rows import Amounts, UsedAmounts
from tests.unit.gateway.api.conftest import Gateway

ZONE = zone_of("Asia/Tokyo")
BUDGETS = Budgets(Budget(requests=5, engine_seconds=60), Budget(tokens=100), "Asia/Tokyo", ZONE)
KIDS = Policy("kids", budgets=BUDGETS)
PATH = "/v1/usage"


def use(gateway: Gateway) -> None:
    tokens = (Token(digest("sk-kid"), "kid", KIDS), Token(digest("sk-free"), "free", Policy("free", rpm=600)))
    gateway.config = Config(tokens=tokens, policies={"kids": KIDS})
    gateway.parts.tokens.apply_config(gateway.config)
    now = time.time()
    spending = gateway.parts.spendings.of("kid", now, ZONE)
    spending.add_request()
    spending.add(7, 1.23456)
    told = UsedAmounts("other", "kid", "day", *day_of(now, ZONE), Amounts(2, 10, 0.5))
    gateway.parts.spendings.learn([told], now)


async def asked(gateway: Gateway, token: str, path: str = PATH) -> Any:
    answer = await gateway.client.get(path, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_caller_sees_its_own(gateway: Gateway) -> None:
    use(gateway)
    told = await asked(gateway, "sk-kid")
    day, month = day_of(time.time(), ZONE), month_of(time.time(), ZONE)
    assert told == {
        "object": "usage",
        "token": "kid",
        "policy": "kids",
        "timezone": "Asia/Tokyo",
        "day": {
            "starts_at": int(day[0]),
            "ends_at": int(day[1]),
            "requests": {"used": 3, "limit": 5},
            "tokens": {"used": 17, "limit": None},
            "engine_seconds": {"used": 1.735, "limit": 60},
        },
        "month": {
            "starts_at": int(month[0]),
            "ends_at": int(month[1]),
            "requests": {"used": 1, "limit": None},
            "tokens": {"used": 7, "limit": 100},
            "engine_seconds": {"used": 1.235, "limit": None},
        },
    }
    assert (await asked(gateway, "sk-kid"))["day"]["requests"]["used"] == 3  # looking uses nothing


async def test_who_has_no_budgets_has_used_none(gateway: Gateway) -> None:
    use(gateway)
    nothing = {"object": "usage", "timezone": None, "day": None, "month": None}
    assert await asked(gateway, "sk-free") == {**nothing, "token": "free", "policy": "free"}
    assert (await gateway.client.get(PATH)).json() == {**nothing, "token": "administrator", "policy": None}


async def test_nobody_sees_it_without_a_token_and_nothing_else_is_there(gateway: Gateway) -> None:
    use(gateway)
    for token, status, code in (("sk-nobody", 401, "invalid_api_key"), ("sk-kid", 404, "not_found")):
        path = PATH if status == 401 else f"{PATH}/kid"
        answer = await gateway.client.get(path, headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    answer = await gateway.client.post(PATH, headers={"authorization": "Bearer sk-kid"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_the_administrator_sees_it_with_the_token(gateway: Gateway) -> None:
    use(gateway)
    own = await asked(gateway, "sk-kid")
    shown = (await gateway.client.get("/v1/admin/tokens/kid")).json()
    assert TokenWithUsage.model_validate(shown).model_dump() == shown  # as the document describes it
    assert shown["usage"] == {key: own[key] for key in ("timezone", "day", "month")}
    assert (await gateway.client.get("/v1/admin/tokens/free")).json()["usage"] is None
    made = await gateway.client.post("/v1/admin/tokens", json={"name": "anna", "policy": "kids"})
    shown = (await gateway.client.get("/v1/admin/tokens/anna")).json()
    assert shown["usage"]["day"]["requests"] == {"used": 0, "limit": 5}
    await gateway.client.delete("/v1/admin/tokens/anna")
    revoked = (await gateway.client.get(f"/v1/admin/tokens/{made.json()['id']}")).json()
    assert (revoked["state"], revoked["usage"]) == ("revoked", None)
