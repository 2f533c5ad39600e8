"""/v1/services: who is out there, in what state and why; answered from memory, however dead the rest is."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from nexus.contract.card import Card
from nexus.contract.errors import NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.catalogue import ANSWERING
from nexus.gateway.api.middleware import bearer_of
from nexus.gateway.api.near import did_you_mean
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.registry.snapshot import Instance, State


def service_routes(parts: ApiParts) -> APIRouter:
    """The list of services, and one service."""
    router = APIRouter()

    @router.get("/v1/services")
    async def list_services(request: Request) -> Response:
        instances = parts.views.of(bearer_of(request).policy).instances
        return json_answer(
            {
                "object": "list",
                "data": [_service(name, group, parts) for name, group in _grouped(instances).items()],
                "unreachable": [_silent(one, parts) for one in instances if one.state is State.UNREACHABLE],
            }
        )

    @router.get("/v1/services/{name}")
    async def get_service(request: Request, name: str) -> Response:
        groups = _grouped(parts.views.of(bearer_of(request).policy).instances)
        if name not in groups:
            raise ApiError(NOT_FOUND, f"There is no service {name!r}.{did_you_mean(name, groups)}", param="name")
        return json_answer(_service(name, groups[name], parts))

    return router


def _grouped(instances: tuple[Instance, ...]) -> dict[str, list[Instance]]:
    """The instances that answer, by the name of their service."""
    groups: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.state in ANSWERING:
            groups.setdefault(instance.service, []).append(instance)
    return groups


def _service(name: str, group: list[Instance], parts: ApiParts) -> dict[str, Any]:
    """A service as its best instance describes it: a ready one, else the first that has a card."""
    ordered = sorted(group, key=lambda one: (ANSWERING.index(one.state), one.card is None))
    best = ordered[0]
    card = next((one.card for one in ordered if one.card is not None), None)
    offered = card.all_endpoints() if card else ()
    return {
        "name": name,
        "version": card.service.version if card else None,
        "description": card.service.description if card else None,
        "state": best.state.value,
        "operations": list(dict.fromkeys(endpoint.operation for endpoint in offered)),
        "models": [model.id for model in card.models] if card else [],
        "waiting": _waiting(name, card, parts),
        "instances": [_instance(one, parts) for one in group],
        "card": msgspec.Raw(card.model_dump_json().encode()) if card else None,
    }


def _waiting(name: str, card: Card | None, parts: ApiParts) -> dict[str, int]:
    """How many calls wait for a place, by model (by the service's name where it has none), as far as they are seen."""
    seen = {"", *(model.id for model in card.models)} if card else {""}
    waiting: dict[str, int] = {}
    for (_, service, model, _), count in parts.turns.counts().items():
        if service == name and model in seen:
            waiting[model or name] = waiting.get(model or name, 0) + count
    return waiting


def _instance(instance: Instance, parts: ApiParts) -> dict[str, Any]:
    return {
        "instance": instance.card.instance if instance.card else "",
        "url": instance.url,
        "state": instance.state.value,
        "reason": instance.reason,
        "in_flight": parts.in_flight(instance.url),
        "circuit": parts.health.state(instance),
        "loading": [model for url, model in parts.turns.loading() if url == instance.url],
        "source": instance.source,
        "since": parts.registry.since(instance.url),
    }


def _silent(instance: Instance, parts: ApiParts) -> dict[str, Any]:
    return {
        "url": instance.url,
        "source": instance.source,
        "reason": instance.reason,
        "since": parts.registry.since(instance.url),
    }
