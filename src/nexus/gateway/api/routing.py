"""/v1/admin/routes/explain: what would become of a call, by the rules, the policy and the services of this moment."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from msgspec.structs import replace

from nexus.contract.errors import INVALID_REQUEST, NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.middleware import administrator, bearer_of
from nexus.gateway.api.near import did_you_mean
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.shown import ShownExplanation
from nexus.gateway.config import CONFIG_FILE
from nexus.gateway.plan.targets import plan
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.routing.supposed import Supposed, supposed_call, told_of
from nexus.gateway.shapes.questions import Question
from nexus.gateway.values import Call, Timeouts
from nexus.policies.account import Account
from nexus.policies.token import Bearer

EXPLAIN: Final = "/v1/admin/routes/explain"
_TARGET: Final = ("model", "service", "instance")


def routing_routes(parts: ApiParts) -> APIRouter:
    """For the administrator alone. Nothing is asked of a service, and nothing counted."""
    router = APIRouter()

    @router.post(EXPLAIN, responses={200: {"model": ShownExplanation}})
    async def explain_route(request: Request, question: Question) -> Response:
        administrator(request)
        bearer = _caller(question, parts, bearer_of(request))
        call = supposed_call(question, bearer, parts.views.whole())
        return json_answer(_explained(call, question, parts))

    return router


def _caller(question: Question, parts: ApiParts, administrator: Bearer) -> Bearer:
    """Who is meant, with an account of its own. Raises ApiError (400, 404)."""
    if question.token is not None and question.policy is not None:
        raise ApiError(INVALID_REQUEST, "token and policy: a token has its own policy; name one of the two.")
    policies = parts.config().policies
    if question.policy is not None:
        if question.policy not in policies:
            message = f"{CONFIG_FILE} has no policy {question.policy!r}.{did_you_mean(question.policy, policies)}"
            raise ApiError(INVALID_REQUEST, message, param="policy")
        return Bearer("", policies[question.policy])
    bearer = administrator if question.token is None else parts.tokens.bearer(question.token)
    if bearer is None:
        raise ApiError(NOT_FOUND, f"There is no token {question.token!r} that may ask for anything.", param="token")
    return replace(bearer, account=Account())


def _explained(call: Call, question: Question, parts: ApiParts) -> dict[str, Any]:
    router = parts.gate.router
    asked = Supposed(router.ask(call), question)
    targets: tuple[Target, ...] = ()
    led: Call | None = None
    refusal: ApiError | None = None
    try:
        led = parts.gate.judge(call, asked)
        view = parts.views.of(call.request.head.bearer.policy)
        targets = plan(led, view, parts.in_flight, 0, Timeouts()).targets
    except ApiError as error:
        refusal = error
    told = told_of(call, router.rules, asked, led, refusal)
    return {**told, "targets": [dict(zip(_TARGET, target.names, strict=True)) for target in targets]}
