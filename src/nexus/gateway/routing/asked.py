"""A call as rules look at it. What costs something to find out is found out once, when the first rule wants it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.routes import route_of
from nexus.gateway.routing.body import is_json
from nexus.gateway.routing.content import form_has_images, has_images, has_tools
from nexus.gateway.values import Call
from nexus.policies.estimate import prompt_tokens

REGION = "x-nexus-region"


class AskedCall:
    """`view` is what the caller may see, `aliases` are those of nexus.yaml, `region` is where this gateway stands."""

    def __init__(
        self,
        call: Call,
        view: Callable[[], Snapshot],
        aliases: Mapping[str, str],
        region: str,
        now: Callable[[], datetime],
    ) -> None:
        head = call.request.head
        self._call = call
        self._view = view
        self._aliases = aliases
        self._region = region
        self._now = now
        self.policy = None if head.bearer.policy is None else head.bearer.policy.name
        self.token = head.bearer.name
        self.operation = head.endpoint.operation
        self.stream = call.stream
        self.is_bound = head.endpoint.service is not None

    @cached_property
    def _names(self) -> tuple[Sequence[str], Sequence[str]]:
        """Models and services."""
        endpoint = self._call.request.head.endpoint
        route = route_of(self._call, self._view())
        targets = (*route.ready, *route.waiting)
        written = self._call.model or endpoint.model
        models = dict.fromkeys(target.model for target in targets if target.model) if written is not None else {}
        said = (written, self._aliases.get(written)) if written is not None else ()
        services = dict.fromkeys(target.instance.service for target in targets)
        if endpoint.service is not None:
            services = {endpoint.service: None, **services}
        return tuple({name: None for name in (*said, *models) if name is not None}), tuple(services)

    @property
    def models(self) -> Sequence[str]:
        return self._names[0]

    @property
    def services(self) -> Sequence[str]:
        return self._names[1]

    @property
    def region(self) -> str:
        """Where the request says that it comes from, else where this gateway is."""
        return next((value for value in self.header(REGION) if value), self._region)

    @cached_property
    def has_tools(self) -> bool:
        return is_json(self._call) and has_tools(self._call.request.body)

    @cached_property
    def has_images(self) -> bool:
        body = self._call.request.body
        return has_images(body) if is_json(self._call) else form_has_images(body)

    @cached_property
    def prompt_tokens(self) -> int | None:
        return prompt_tokens(self._call.request.body) if is_json(self._call) else None

    @cached_property
    def moment(self) -> datetime:
        return self._now()

    @cached_property
    def _headers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in self._call.request.head.lines.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                found.setdefault(name.decode("latin-1"), []).append(value.strip().decode("latin-1"))
        return found

    def header(self, name: str) -> Sequence[str]:
        return self._headers.get(name, ())
