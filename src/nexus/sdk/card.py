"""The card of a running service: what its manifest promised, with the engine's schemas and the models' live states."""

from collections.abc import Mapping

from nexus.contract.card import Card, Endpoint, Model, Tool
from nexus.sdk.binding import BoundOperation


def live_card(
    promised: Card, bound: Mapping[str, BoundOperation], models: tuple[Model, ...], base_url: str | None = None
) -> Card:
    """`promised` (see `manifest.provisional_card`) with what is known now that the engine is there.

    `base_url` is where the gateway may go to the engine directly, None where it may not.
    """
    schemas = {name: operation.request.schema for name, operation in bound.items()}
    endpoints = tuple(
        endpoint.model_copy(update={"request_schema": schemas.get(endpoint.operation, {})})
        for endpoint in promised.endpoints
    )
    tools = tuple(_with_schema(tool, endpoints) for tool in promised.tools)
    backend = promised.backend.model_copy(update={"base_url": base_url or promised.backend.base_url})
    return promised.model_copy(update={"backend": backend, "endpoints": endpoints, "tools": tools, "models": models})


def _with_schema(tool: Tool, endpoints: tuple[Endpoint, ...]) -> Tool:
    if tool.input_schema:
        return tool
    schema = next((endpoint.request_schema for endpoint in endpoints if endpoint.path == tool.path), {})
    return tool.model_copy(update={"input_schema": schema})
