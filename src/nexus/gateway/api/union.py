"""The gateway's own card: the union of what it can reach, so that one gateway can stand behind another. Pure."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Final

from nexus.contract.card import Capabilities, Card, Endpoint, Limits, Modalities, Model, ServiceInfo, Tool
from nexus.contract.operations import BY_NAME
from nexus.gateway.api.catalogue import Entry, catalogue
from nexus.gateway.api.virtual import with_virtual
from nexus.gateway.registry.snapshot import Instance, Snapshot, State
from nexus.policies.routing.rule import Rule
from nexus.policies.token import Bearer

NAME: Final = "nexus-gateway"
_STATES: Final[Mapping[str, str]] = {"starting": "loading"}  # a card knows fewer words than the registry


def union_card(
    snapshot: Snapshot,
    aliases: Mapping[str, str],
    rules: Iterable[Rule],
    bearer: Bearer,
    *,
    instance: str,
    max_request_bytes: int,
    region: str = "",
) -> Card:
    """A whole, valid card for who asks for it. Whoever cannot be reached is not in it."""
    reached = [one for one in snapshot.instances if one.state in (State.READY, State.STARTING)]
    endpoints = _endpoints(reached, snapshot)
    operations = tuple(dict.fromkeys(one.operation for one in endpoints if one.operation in BY_NAME))
    cards = [one.card for one in reached if one.card]
    return Card(
        schema_version="v1",
        service=ServiceInfo(name=NAME, version=version("nexus-gateway"), description="All services behind one address"),
        instance=instance,
        region=region,
        capabilities=Capabilities(
            domains=tuple(dict.fromkeys(BY_NAME[operation].domain for operation in operations)),
            operations=operations,
            modalities=Modalities(
                input=_union(card.capabilities.modalities.input for card in cards),
                output=_union(card.capabilities.modalities.output for card in cards),
            ),
            streaming=any(card.capabilities.streaming for card in cards),
            max_concurrency=max(1, sum(card.capabilities.max_concurrency for card in cards)),
            max_queue=sum(card.capabilities.max_queue for card in cards),
        ),
        # A card must offer something; a gateway that reaches nobody still tells of its services.
        endpoints=endpoints or (Endpoint(operation="services.list", method="GET", path="/v1/services"),),
        models=_models(with_virtual(catalogue(snapshot, aliases), rules, bearer)),
        tools=_tools(reached, {one.path for one in endpoints}),
        limits=Limits(max_request_bytes=max_request_bytes),
    )


def _endpoints(instances: Iterable[Instance], snapshot: Snapshot) -> tuple[Endpoint, ...]:
    """Every endpoint that is served under its own path, the first description of each."""
    endpoints: dict[tuple[str, str], Endpoint] = {}
    for instance in instances:
        for endpoint in instance.card.all_endpoints() if instance.card else ():
            key = (endpoint.method, endpoint.path)
            standard = BY_NAME.get(endpoint.operation)
            dynamic = snapshot.endpoints.get(key)
            served = standard is not None and key == (standard.method, standard.path)
            if served or (dynamic is not None and dynamic.operation == endpoint.operation):
                endpoints.setdefault(key, endpoint)
    return tuple(endpoints.values())


def _models(entries: Mapping[str, Entry]) -> tuple[Model, ...]:
    """One model an id, with all operations and all aliases that lead to it."""
    aliases: dict[str, list[str]] = {}
    for entry in entries.values():
        if entry.alias_of is not None:
            aliases.setdefault(entry.alias_of, []).append(entry.id)
    return tuple(
        entry.model.model_copy(
            update={
                "operations": entry.operations,
                "state": _STATES.get(entry.state, entry.state),
                "aliases": tuple(aliases.get(entry.id, ())),
                "context_length": entry.context_length,
                "on_demand": entry.on_demand,
            }
        )
        for entry in entries.values()
        if entry.alias_of is None
    )


def _tools(instances: Iterable[Instance], served: set[str]) -> tuple[Tool, ...]:
    """Every tool, the first of each name; one whose path is not served as it is goes by its service's own."""
    tools: dict[str, Tool] = {}
    for instance in instances:
        for tool in instance.card.tools if instance.card else ():
            path = tool.path if tool.path in served else f"/v1/services/{instance.service}{tool.path}"
            tools.setdefault(tool.name, tool.model_copy(update={"path": path}))
    return tuple(tools.values())


def _union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for group in groups for one in group))
