"""Call → Call: what the rules of `routes` make of it. A call is led once; what comes of that is not led again."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from nexus.contract.errors import PERMISSION_DENIED, ApiError
from nexus.gateway.routes import route_for
from nexus.gateway.routing.asked import AskedCall
from nexus.gateway.routing.body import is_json, rewritten, with_model, with_one_model
from nexus.gateway.routing.content import conversation
from nexus.gateway.values import Call, Routed
from nexus.gateway.views import Views
from nexus.policies.routing.asked import Asked
from nexus.policies.routing.rule import Deny, Rule, Split, Use, first_match
from nexus.policies.routing.split import best, choose

HEADER: Final = "x-nexus-route"
_CONTENT: Final = ("has_tools", "has_images")
_SAFE: Final = "!#$&'()*+,-./:;<=>?@[]^_`{|}~ "  # all that a header may hold, but for what would be taken for an escape


class Router:
    """`rules` are those of nexus.yaml as it is now. `draw` gives bytes by chance, `now` a moment with its time zone."""

    def __init__(
        self,
        views: Views,
        region: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], bytes] = lambda: secrets.token_bytes(8),
    ) -> None:
        self._views = views
        self._region = region
        self._now = now
        self._draw = draw
        self.hold((), {})

    def hold(self, rules: tuple[Rule, ...], aliases: Mapping[str, str]) -> None:
        """Lead calls by these rules from now on; `aliases` tell what a name stands for."""
        keys = {condition.key for rule in rules for condition in rule.conditions}
        self.rules = rules
        self._aliases = aliases
        self._looks_at_content = not keys.isdisjoint(_CONTENT)
        self._looks_at_model = "model" in keys

    def ask(self, call: Call) -> AskedCall:
        """What the rules are told of a call."""
        policy = call.request.head.bearer.policy
        return AskedCall(call, lambda: self._views.of(policy), self._aliases, self._region, self._now)

    def lead(self, call: Call, asked: Asked | None = None) -> Call:
        """The call as the first rule that matches wants it. Raises ApiError (400, 403).

        `asked` is what the rules are told instead of what it is.
        """
        if self._looks_at_content:
            call = rewritten(call)
        elif self._looks_at_model:
            call = with_one_model(call)
        rule = first_match(self.rules, asked or self.ask(call))
        if rule is None:
            return call
        match rule.action:
            case Deny(message):
                raise ApiError(PERMISSION_DENIED, message, more={HEADER: told(rule.number, str(rule.action))})
            case Use(model, within):
                why = told(rule.number, str(rule.action))
                return self._led(call, Routed(rule.number, why, call.model, model, within))
            case Split():
                model = self._side(call, rule.action)
                return self._led(
                    call, Routed(rule.number, told(rule.number, f"split model={model}"), call.model, model)
                )

    def _led(self, call: Call, routed: Routed) -> Call:
        if routed.model is not None and routed.model != call.model:
            call = with_model(call, routed.model)
        return replace(call, routed=routed)

    def _side(self, call: Call, split: Split) -> str:
        """The model among those that can answer, if any can, else among those that are to come, else among all."""
        head = call.request.head
        view = self._views.of(head.bearer.policy)

        def rank(model: str) -> int:
            route = route_for(head.endpoint.operation, model, view)
            return 0 if route.ready else 1 if route.waiting else 2

        kept = conversation(call.request.body) if is_json(call) else None
        key = self._draw() if kept is None else b"%b\0%b" % (head.token.encode(), kept)
        return choose(best(split.weights, rank), key)


def told(number: int, what: str) -> str:
    """What answers and logs tell of a rule, in ASCII that a header may hold."""
    return f"{number}; {quote(what, safe=_SAFE)}"
