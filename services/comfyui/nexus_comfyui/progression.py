"""How far a prompt is, told from what the engine says on its websocket. Sans I/O; the formats are ComfyUI's server.py.

A message is JSON `{"type", "data"}` or binary: four bytes big-endian that say what (1: a preview), then of a preview
four bytes of its format (1 JPEG, 2 PNG) and the file.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from nexus_comfyui.workflow import Graph

_PREVIEW: Final = 1
_SAMPLER_WEIGHT: Final = 20.0


@dataclass(frozen=True, slots=True)
class Step:
    """`fraction` of the whole prompt that is done, 0 to 1, and what is being done."""

    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Preview:
    """An unfinished picture as a JPEG or PNG file, at this fraction of the prompt."""

    body: bytes
    fraction: float


@dataclass(frozen=True, slots=True)
class Saved:
    """What a node saved, as the engine tells it."""

    node: str
    output: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the prompt ended; `reason` and `kind` (the exception's name) where it failed."""

    how: Literal["success", "error", "interrupted"]
    reason: str = ""
    kind: str = ""


Told = Step | Preview | Saved | Ended


class Progression:
    """One prompt's messages, in any order that they come; what is about other prompts is passed over.

    Only `execution_success` ends a prompt well: files may still be written after `executed`. Samplers count twenty
    times as much as other nodes.
    """

    def __init__(self, prompt_id: str, graph: Graph) -> None:
        self._id = prompt_id
        self._weights = {name: _weight(node["class_type"]) for name, node in graph.items()}
        self._classes = {name: node["class_type"] for name, node in graph.items()}
        self._done = dict.fromkeys(graph, 0.0)
        self._running: str | None = None
        self._best = 0.0

    def feed(self, message: str | bytes) -> list[Told]:
        """What a message tells. Raises ValueError for what is none of the engine's."""
        if isinstance(message, bytes):
            return self._binary(message)
        whole = json.loads(message)
        kind, data = whole.get("type"), whole.get("data")
        if not isinstance(data, dict) or data.get("prompt_id", self._id) != self._id:
            return []
        handlers: dict[str, Callable[[dict[str, Any]], list[Told]]] = {
            "execution_start": self._started,
            "execution_cached": self._cached,
            "executing": self._executing,
            "progress": self._progress,
            "progress_state": self._progress_state,
            "executed": self._executed,
            "execution_success": lambda _: [Ended("success")],
            "execution_error": _failed,
            "execution_interrupted": lambda _: [Ended("interrupted", "the prompt was interrupted at the engine")],
        }
        return handlers[kind](data) if kind in handlers else []

    def _binary(self, message: bytes) -> list[Told]:
        if len(message) <= 8 or struct.unpack_from(">I", message)[0] != _PREVIEW:
            return []
        return [Preview(message[8:], self._best)]

    def _started(self, _: dict[str, Any]) -> list[Told]:
        return [Step(self._best, "started")]

    def _cached(self, data: dict[str, Any]) -> list[Told]:
        for node in data.get("nodes") or ():
            self._at(str(node), 1.0)
        return [self._step()]

    def _executing(self, data: dict[str, Any]) -> list[Told]:
        if self._running is not None:
            self._at(self._running, 1.0)
        self._running = data.get("node")
        return [self._step()]

    def _progress(self, data: dict[str, Any]) -> list[Told]:
        node = str(data.get("node") or self._running)
        self._at(node, _ratio(data))
        return [self._step(f" {data.get('value')} of {data.get('max')}")]

    def _progress_state(self, data: dict[str, Any]) -> list[Told]:
        for name, state in (data.get("nodes") or {}).items():
            self._at(str(name), 1.0 if state.get("state") == "finished" else _ratio(state))
        return [self._step()]

    def _executed(self, data: dict[str, Any]) -> list[Told]:
        node, output = str(data.get("node")), data.get("output")
        self._at(node, 1.0)
        return [Saved(node, output), self._step()] if isinstance(output, dict) else [self._step()]

    def _at(self, node: str, done: float) -> None:
        if node in self._done:
            self._done[node] = max(self._done[node], done)

    def _step(self, steps: str = "") -> Step:
        whole = sum(self._weights.values())
        done = sum(self._done[name] * weight for name, weight in self._weights.items())
        self._best = max(self._best, min(1.0, done / whole))
        return Step(self._best, f"{self._classes.get(self._running or '', 'running')}{steps}")


def _weight(class_type: str) -> float:
    return _SAMPLER_WEIGHT if "Sampler" in class_type and "Select" not in class_type else 1.0


def _ratio(data: dict[str, Any]) -> float:
    value, most = data.get("value"), data.get("max")
    if not isinstance(value, int | float) or not isinstance(most, int | float) or most <= 0:
        return 0.0
    return min(1.0, max(0.0, value / most))


def _failed(data: dict[str, Any]) -> list[Told]:
    message = " ".join(str(data.get("exception_message", "")).split())[:500]
    return [Ended("error", f"{data.get('node_type', 'a node')}: {message}", str(data.get("exception_type", "")))]
