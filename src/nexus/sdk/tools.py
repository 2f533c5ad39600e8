"""The tools on a card: those of the manifest first, then those that the engine's models bring with them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nexus.contract.card import Endpoint, Tool

MOST_TOOLS: Final = 1024  # as many as a card can hold


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools that can be offered, each name once, and by name why others cannot."""

    tools: tuple[Tool, ...]
    refused: Mapping[str, str]


def collect(own: Sequence[Tool], brought: Iterable[tuple[str, Tool]], endpoints: Sequence[Endpoint]) -> Toolbox:
    """`own` and those `brought`, each by the model of that id. The first of a name has it.

    One without an `input_schema` has that of the endpoint which it calls.
    """
    owners = dict.fromkeys((tool.name for tool in own), "the service")
    kept = list(own)
    refused: dict[str, str] = {}
    paths = {endpoint.path for endpoint in endpoints if endpoint.method == "POST"}
    for model, tool in brought:
        if tool.name in owners:
            refused[tool.name] = f"the model {model} brings it, and {owners[tool.name]} has it already"
        elif tool.path not in paths:
            refused[tool.name] = f"the model {model} has it call {tool.path}, which the service has no POST to"
        elif len(kept) == MOST_TOOLS:
            refused[tool.name] = f"there are more than {MOST_TOOLS} tools"
        else:
            owners[tool.name] = f"the model {model}"
            kept.append(tool)
    return Toolbox(tuple(_with_schema(tool, endpoints) for tool in kept), refused)


def _with_schema(tool: Tool, endpoints: Sequence[Endpoint]) -> Tool:
    if tool.input_schema:
        return tool
    schema = next((endpoint.request_schema for endpoint in endpoints if endpoint.path == tool.path), {})
    return tool.model_copy(update={"input_schema": schema})
