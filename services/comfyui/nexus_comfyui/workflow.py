"""A workflow: ComfyUI's graph in the API format with its mapping, and the prompt that values make of it. Pure."""

import copy
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_comfyui.mapping import ALPHA
from nexus_comfyui.mapping import Mapping as Inputs

Graph = dict[str, dict[str, Any]]
PREFIX: Final = "filename_prefix"
FOLDER: Final = "nexus"


class WorkflowError(ValueError):
    """A file that is no workflow, or a mapping that does not fit it; the message is one line."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """`name` is the file's without its ending."""

    name: str
    graph: Graph
    mapping: Inputs

    def filled(self, values: Mapping[str, Any], tag: str) -> Graph:
        """The prompt: every input's value in its fields, and what is saved named by `tag`.

        The name is new with each run, so that the nodes that save are never answered from the engine's cache, whose
        outputs can be empty. An input without a value leaves the workflow's own; an image without one is taken out.
        """
        graph = copy.deepcopy(self.graph)
        absent: set[str] = set()
        for name, one in self.mapping.inputs.items():
            value = values.get(name, one.default)
            if value is None:
                absent.update(place for place, field in one.places if one.type == "image" and field != ALPHA)
                continue
            for place, field in one.places:
                if field != ALPHA:
                    graph[place]["inputs"][field] = one.rounded(value)
        for node in graph.values():
            if isinstance(node["inputs"].get(PREFIX), str):
                node["inputs"][PREFIX] = f"{FOLDER}/{tag}"
        return without(graph, absent)


def without(graph: Graph, absent: Collection[str]) -> Graph:
    """The graph without some nodes, and without the links to them."""
    return {
        name: {**node, "inputs": {key: value for key, value in node["inputs"].items() if link(value) not in absent}}
        for name, node in graph.items()
        if name not in absent
    }


def link(value: Any) -> str | None:
    """The node that an input's value is taken from; None where it is a value of its own."""
    is_link = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)
    return value[0] if is_link else None


def read_graph(text: str | bytes) -> Graph:
    """A graph in the API format. Raises WorkflowError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkflowError(f"is no JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("nodes"), list):
        raise WorkflowError("is in the editor's format: export it by 'Export (API)'")
    if isinstance(found, dict) and isinstance(found.get("prompt"), dict):
        found = found["prompt"]
    if not isinstance(found, dict) or not found:
        raise WorkflowError("is no workflow: an object of nodes by their ids")
    for name, node in found.items():
        if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
            raise WorkflowError(f"node {name!r} has no class_type")
        if not isinstance(node.get("inputs"), dict):
            raise WorkflowError(f"node {name!r} has no inputs")
    return found


def made(name: str, graph: Graph, mapping: Inputs) -> Workflow:
    """The workflow, its mapping held against its graph. Raises WorkflowError."""
    for title, one in mapping.inputs.items():
        for node, field in one.places:
            if node not in graph:
                raise WorkflowError(f"inputs.{title}: there is no node {node!r}")
            if field != ALPHA and "." not in field and field not in graph[node]["inputs"]:
                raise WorkflowError(f"inputs.{title}: node {node!r} ({graph[node]['class_type']}) has no {field!r}")
    for node in (*mapping.outputs, *([mapping.thumbnail] if mapping.thumbnail else [])):
        if node not in graph:
            raise WorkflowError(f"there is no node {node!r} to take files from")
    return Workflow(name, graph, mapping)
