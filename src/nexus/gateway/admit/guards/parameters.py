"""Bounds, forces and forbids what a call for text may say, and puts the policy's words before its prompt.

Where a policy has such rules, the body is written anew, so that a field that was written twice is there once. Rules are
those of the model that a name stands for; where it stands for several, those of each hold.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from nexus.contract.errors import INVALID_REQUEST, PERMISSION_DENIED, ApiError
from nexus.gateway.admit.prompts import PREFIXED
from nexus.gateway.routes import route_of
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.parameters import Rules
from nexus.policies.policy import Policy

Fields = dict[str, msgspec.Raw]

LENGTHS: Final[Mapping[str, tuple[str, ...]]] = {
    "chat.completions": ("max_tokens", "max_completion_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
"""The operations that answer in text, and how each calls the length of an answer; the first is said where none is."""

_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def rule_parameters(call: Call, policy: Policy, views: Views) -> Call:
    """The call with its parameters as the policy wants them. Raises ApiError (400, 403)."""
    operation = call.request.head.endpoint.operation
    if not policy.parameters or operation not in LENGTHS:
        return call
    try:
        fields = _decoder.decode(call.request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
    route = route_of(call, views.of(policy))
    models = [target.model or target.instance.service for target in (*route.ready, *route.waiting)]
    for rules in policy.parameters.rules_for(models):
        _forbid(fields, rules, call.request.head.token)
        _bound(fields, rules, LENGTHS[operation])
        fields.update({name: msgspec.Raw(msgspec.json.encode(value)) for name, value in rules.force.items()})
        if rules.system_prefix:
            PREFIXED[operation](fields, rules.system_prefix)
    return replace(call, request=replace(call.request, body=msgspec.json.encode(fields)))


def _forbid(fields: Fields, rules: Rules, token: str) -> None:
    for name in rules.forbid:
        if name in fields:
            raise ApiError(PERMISSION_DENIED, f"The token {token!r} may not set {name}.", param=name)


def _bound(fields: Fields, rules: Rules, names: tuple[str, ...]) -> None:
    """Ask for no more tokens than the rules allow. Raises ApiError (400) for what is no number of them."""
    if not rules.max_tokens:
        return
    given = [name for name in names if _value(fields.get(name)) is not None]
    for name in given:
        asked = _value(fields[name])
        if not isinstance(asked, int) or isinstance(asked, bool):
            raise ApiError(INVALID_REQUEST, f"{name}: it should be a whole number.", param=name)
        if asked > rules.max_tokens or asked < 0:  # to some engines a negative number means: as many as there are
            fields[name] = _number(rules.max_tokens)
    if not given:
        fields[names[0]] = _number(rules.max_tokens)


def _value(raw: msgspec.Raw | None) -> Any:
    return None if raw is None else msgspec.json.decode(raw)


def _number(value: int) -> msgspec.Raw:
    return msgspec.Raw(str(value).encode())
