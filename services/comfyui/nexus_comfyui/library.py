"""The workflows: those that the service brings, and those of the operator's folder, read anew when a file changes."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from nexus_comfyui.deduction import deduced
from nexus_comfyui.mapping import Mapping as Inputs
from nexus_comfyui.workflow import Graph, Workflow, WorkflowError, made, read_graph

OWN: Final = Path(__file__).parent / "workflows"
CHECKPOINT_WORKFLOWS: Final = ("sdxl-text", "sdxl-image", "sdxl-inpaint")
VIDEO_WORKFLOW: Final = "wan2.2-ti2v-5b"
_MOST_BYTES: Final = 4 * 1024 * 1024
_Stamp = tuple[tuple[str, int, int], ...]


def own_workflow(name: str) -> Workflow:
    """A workflow that comes with the service."""
    return read_workflow(OWN / f"{name}.json")


def read_workflow(file: Path) -> Workflow:
    """The workflow of `NAME.json` with the mapping in `NAME.toml` beside it, if there is one. Raises WorkflowError."""
    beside = file.with_suffix(".toml")
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise WorkflowError("is larger than 4 MiB")
        graph = read_graph(file.read_bytes())
        mapping = _read_mapping(beside.read_text("utf-8"), graph) if beside.is_file() else deduced(graph)
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(f"cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise WorkflowError(f"{beside.name}: {place or 'mapping'}: {first['msg']}") from error
    return made(file.stem, graph, mapping)


def _read_mapping(text: str, graph: Graph) -> Inputs:
    """The mapping as written; without an `[inputs]` of its own, those that the graph shows."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WorkflowError(f"the mapping is no TOML: {error}") from error
    known = deduced(graph)
    told = {"operations": known.operations} if "inputs" not in table else {}
    mapping = Inputs.model_validate({**told, **table})
    return mapping if "inputs" in table else mapping.model_copy(update={"inputs": known.inputs})


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a folder holds: workflows, and by name why other files are none."""

    workflows: tuple[Workflow, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


class Folder:
    """The operator's folder of workflows; None, or one that is not there, is empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._shelf = Shelf()

    def look(self) -> Shelf:
        """What is there now. Reads files only when one came, went or changed."""
        if self._path is None:
            return self._shelf
        files = sorted(self._path.glob("*.json"))
        stamp = _stamp([*files, *sorted(self._path.glob("*.toml"))])
        if stamp != self._stamp:
            self._shelf, self._stamp = _read(files), stamp
        return self._shelf


def _stamp(files: Iterable[Path]) -> _Stamp:
    found = []
    for file in files:
        try:
            told = file.stat()
        except OSError:  # it went while we looked
            continue
        found.append((file.name, told.st_mtime_ns, told.st_size))
    return tuple(found)


def _read(files: Iterable[Path]) -> Shelf:
    workflows: list[Workflow] = []
    problems: dict[str, str] = {}
    for file in files:
        try:
            workflows.append(read_workflow(file))
        except WorkflowError as error:
            problems[file.stem] = f"{file.name}: {error}"
    return Shelf(tuple(workflows), problems)
