"""/v1/usage: what a caller has used of its budgets, and has left; what the administrator is told of others."""

import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.middleware import bearer_of
from nexus.gateway.api.parts import ApiParts
from nexus.policies.budgets import Budget
from nexus.policies.policy import Policy
from nexus.policies.spending import Meter, Spendings

USAGE: Final = "/v1/usage"


def usage_routes(parts: ApiParts) -> APIRouter:
    """Each caller sees its own."""
    router = APIRouter()

    @router.get(USAGE)
    async def usage(request: Request) -> Response:
        bearer = bearer_of(request)
        told = usage_of(parts.spendings, bearer.name, bearer.policy, time.time())
        nothing = {"timezone": None, "day": None, "month": None}
        policy = None if bearer.policy is None else bearer.policy.name
        return json_answer({"object": "usage", "token": bearer.name, "policy": policy, **(told or nothing)})

    return router


def usage_of(spendings: Spendings, name: str, policy: Policy | None, now: float) -> dict[str, Any] | None:
    """What a token has used this day and this month, here and at other gateways; None where it has no budgets."""
    if policy is None or policy.budgets is None:
        return None
    budgets = policy.budgets
    spending = spendings.of(name, now, budgets.zone)
    return {
        "timezone": budgets.timezone,
        "day": _period(spending.day, budgets.day),
        "month": _period(spending.month, budgets.month),
    }


def _period(meter: Meter, budget: Budget) -> dict[str, Any]:
    used = meter.here + meter.elsewhere
    return {
        "starts_at": int(meter.starts),
        "ends_at": int(meter.ends),
        "requests": _figure(used.requests, budget.requests),
        "tokens": _figure(used.tokens, budget.tokens),
        "engine_seconds": _figure(round(used.engine_seconds, 3), budget.engine_seconds),
    }


def _figure(used: float, limit: int) -> dict[str, Any]:
    """`limit` None: no bound."""
    return {"used": used, "limit": limit or None}
