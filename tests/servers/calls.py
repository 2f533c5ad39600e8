"""The values that a request turns into, as tests of single stages make them up."""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from nexus.contract.card import Card
from nexus.contract.operations import BY_NAME
from nexus.gateway.edge.lines import forwarded
from nexus.gateway.endpoints import STANDARD, Endpoint
from nexus.gateway.registry.snapshot import Instance, State, Target
from nexus.gateway.values import Call, Head, Request
from nexus.policies.token import Bearer
from tests.servers.cards import card

CHAT = STANDARD[b"/v1/chat/completions"]
BODY = b'{"model":"m","messages":[]}'


def endpoint(operation: str) -> Endpoint:
    """The lane's row of a standard operation."""
    return STANDARD[BY_NAME[operation].path.encode()]


def make_request(
    body: bytes = BODY,
    content_type: bytes = b"application/json",
    *,
    at: Endpoint = CHAT,
    headers: Sequence[tuple[bytes, bytes]] = (),
    query: bytes = b"",
    bearer: Bearer | None = None,
    arrived: float | None = None,
) -> Request:
    """A whole request, which has `arrived` just now or then; `headers` as given, without those of a real one."""
    target = f"{at.path}?{query.decode('latin-1')}" if query else at.path
    head = Head(at, target, forwarded(headers), content_type, bearer or Bearer("administrator"))
    now = perf_counter()
    return Request(head, body, "req-1", now, now if arrived is None else arrived)


def make_call(model: str | None = "m", body: bytes = BODY, *, stream: bool = False, **request: Any) -> Call:
    """A call for `model`; `request` as for `make_request`."""
    span = request.pop("span", None)
    return Call(make_request(body, **request), model, stream, span)


def make_instance(
    name: str = "svc",
    *,
    url: str = "",
    state: State = State.READY,
    reason: str = "",
    authorization: str | None = None,
    data_url: str = "",
    **fields: Any,
) -> Instance:
    """An instance whose card has `fields` (as for `cards.card`); by default it does chat with the model `m`."""
    described: Mapping[str, Any] = card(name, **{"operations": ("chat.completions",), "models": ("m",), **fields})
    return Instance(
        url or f"http://{name}.test:8000",
        "static",
        state,
        Card.model_validate(described),
        reason,
        data_url,
        authorization,
    )


def make_target(url: str = "", model: str | None = "m", **fields: Any) -> Target:
    """A model at an instance of its own."""
    return Target(make_instance(url=url, **fields), model)
