"""A call that nobody makes: for a dry run of the rules, and what they say to it, one by one."""

import json
from collections.abc import Callable
from datetime import datetime
from time import perf_counter
from typing import Any

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.operations import BY_NAME
from nexus.gateway.endpoints import Endpoint, standard
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.routing.asked import AskedCall
from nexus.gateway.routing.router import HEADER
from nexus.gateway.shapes.questions import Question
from nexus.gateway.values import Call, Head, Request
from nexus.policies.routing.asked import Asked
from nexus.policies.routing.rule import Rule
from nexus.policies.token import Bearer


def supposed_call(question: Question, bearer: Bearer, snapshot: Snapshot) -> Call:
    """The call that is meant. Raises ApiError (400) for an operation that there is not."""
    body = dict(question.body or {})
    if question.model is not None:
        body["model"] = question.model
    if question.stream is not None:
        body["stream"] = question.stream
    model = body.get("model")
    if model is not None and not (isinstance(model, str) and model and model.isprintable()):
        raise ApiError(INVALID_REQUEST, "body.model: it should be the name of a model.", param="body")
    lines = "".join(f"{name}: {value}\r\n" for name, value in question.headers.items()).encode("latin-1")
    endpoint = _endpoint(question.operation, snapshot)
    head = Head(endpoint, endpoint.path, lines, b"application/json", bearer)
    now = perf_counter()
    request = Request(head, json.dumps(body).encode(), "explain", now, now)  # whatever numbers are in it
    return Call(request, model, bool(body.get("stream")))


def _endpoint(operation: str, snapshot: Snapshot) -> Endpoint:
    if operation in BY_NAME:
        return standard(BY_NAME[operation])
    for dynamic in snapshot.endpoints.values():
        if dynamic.operation == operation:
            return Endpoint(operation, dynamic.method, dynamic.path)
    raise ApiError(INVALID_REQUEST, f"There is no operation {operation!r}.", param="operation")


class Supposed:
    """What the rules are told of such a call: what the question says, and what the call has where it does not."""

    def __init__(self, call: AskedCall, question: Question) -> None:
        self._call = call
        self._question = question
        self.policy = call.policy
        self.token = call.token
        self.operation = call.operation
        self.models = call.models
        self.services = call.services
        self.region = call.region
        self.stream = call.stream
        self.is_bound = call.is_bound
        self.header = call.header

    @property
    def has_tools(self) -> bool:
        return self._said(self._question.has_tools, lambda: self._call.has_tools)

    @property
    def has_images(self) -> bool:
        return self._said(self._question.has_images, lambda: self._call.has_images)

    @property
    def prompt_tokens(self) -> int | None:
        said = self._question.prompt_tokens
        return self._call.prompt_tokens if said is None else said

    @property
    def moment(self) -> datetime:
        return self._question.at or self._call.moment

    def _said(self, said: bool | None, found: Callable[[], bool]) -> bool:
        return found() if said is None else said


def told_of(
    call: Call, rules: tuple[Rule, ...], asked: Asked, led: Call | None, refusal: ApiError | None
) -> dict[str, Any]:
    """What would become of a call: `led` is what the rules made of it, `refusal` what ends it."""
    looked = [_looked_at(rule, asked) for rule in rules]
    header = refusal.more.get(HEADER) if refusal is not None else None
    if led is not None and led.routed is not None:
        header = led.routed.why
    return {
        "object": "route.explanation",
        "operation": asked.operation,
        "token": asked.token or None,
        "policy": asked.policy,
        "asked_model": call.model,
        "rules": looked,
        "rule": next((one["rule"] for one in looked if one["matches"]), None),
        "header": header,
        "model": call.model if led is None else led.model,
        "status": 200 if refusal is None else refusal.status,
        "message": None if refusal is None else refusal.message,
    }


def _looked_at(rule: Rule, asked: Asked) -> dict[str, Any]:
    """A rule, whether it matches, and of each condition what it wants, what the call has and whether it holds."""
    conditions = [
        {
            "condition": condition.key,
            "wanted": condition.wanted,
            "found": condition.found(asked),
            "holds": condition.holds(asked),
        }
        for condition in rule.conditions
    ]
    return {"rule": rule.number, "matches": rule.matches(asked), "action": str(rule.action), "conditions": conditions}
