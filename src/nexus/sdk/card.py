"""The card of a running service: what its manifest promised, with the engine's schemas and the models' live states."""

from collections.abc import Iterable, Mapping

from nexus.contract.card import Card, Model, Tool
from nexus.sdk.binding import BoundOperation
from nexus.sdk.tools import collect


def live_card(
    promised: Card,
    bound: Mapping[str, BoundOperation],
    models: tuple[Model, ...],
    base_url: str | None = None,
    *,
    brought: Iterable[tuple[str, Tool]] = (),
    needs_models: bool = False,
) -> Card:
    """`promised` (see `manifest.provisional_card`) with what is known now that the engine is there.

    `base_url` is where the gateway may go to the engine directly, None where it may not. `brought` are tools, each with
    the id of the model that brings it. `needs_models`: the models are the engine's own, and without one there is no
    answer.
    """
    schemas = {name: operation.request.schema for name, operation in bound.items()}
    endpoints = tuple(
        endpoint.model_copy(update={"request_schema": schemas.get(endpoint.operation, {})})
        for endpoint in promised.endpoints
    )
    tools = collect(promised.tools, brought, endpoints).tools
    backend = promised.backend.model_copy(update={"base_url": base_url or promised.backend.base_url})
    capabilities = promised.capabilities.model_copy(update={"needs_models": needs_models})
    live = {"backend": backend, "capabilities": capabilities, "endpoints": endpoints, "tools": tools, "models": models}
    return promised.model_copy(update=live)
