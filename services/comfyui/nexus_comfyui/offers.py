"""Which models there are: the engine's checkpoints, the video workflow if its files are there, the folder's own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Found, Model
from nexus.sdk.media.picture_requests import read_size
from nexus_comfyui.library import CHECKPOINT_WORKFLOWS, VIDEO_WORKFLOW, Shelf, own_workflow
from nexus_comfyui.mapping import RUN
from nexus_comfyui.pictures import LARGEST
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.tools import tool
from nexus_comfyui.workflow import Workflow, link

IMAGES: Final = ("images.generations", "images.edits", "images.variations")
_ENDINGS: Final = re.compile(r"\.(safetensors|ckpt|pt|pth|bin|gguf|sft)$")
_SETTINGS: Final = ("steps", "guidance_scale", "sampler", "scheduler", "strength", "negative_prompt")
_DYNAMIC: Final = "COMFY_DYNAMICCOMBO_V3"
Nodes = Mapping[str, Mapping[str, Any] | None]
Offer = tuple[Found, Recipe | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """The workflows that come with the service."""

    pictures: tuple[Workflow, ...]
    video: Workflow

    @property
    def all(self) -> tuple[Workflow, ...]:
        return (*self.pictures, self.video)


def bench() -> Bench:
    """Read the service's own workflows."""
    return Bench(tuple(own_workflow(name) for name in CHECKPOINT_WORKFLOWS), own_workflow(VIDEO_WORKFLOW))


def offers(own: Bench, shelf: Shelf, checkpoints: Sequence[str], nodes: Nodes, wanted: Sequence[Model]) -> list[Offer]:
    """Every model with its recipe, None where it cannot be asked for. `nodes` is what the engine says of their classes.

    Entries of the manifest (`[options] checkpoint = "FILE"`) come first and name and settle a checkpoint; one that
    none names is offered by its file's name. A video workflow of the service's own whose files are missing is left out.
    Workflows are tools as well, checkpoints are not: there may be hundreds, and all take the same inputs.
    """
    found = [_entry(own, model, checkpoints) for model in wanted]
    named = {str(model.options.get("checkpoint")) for model in wanted}
    found += [_checkpoint(own, name) for name in checkpoints if name not in named]
    for workflow in shelf.workflows:
        reasons = list(objections(workflow, nodes))
        model = Model(id=_id(workflow.name), operations=(*workflow.mapping.operations, RUN))
        if reasons:
            found.append((Found(model, "failed", "; ".join(reasons[:3])), None))
        else:
            found.append(_workflow(model, Recipe((workflow,))))
    found += [(Found(Model(id=_id(name)), "failed", reason), None) for name, reason in shelf.problems.items()]
    if not any(objections(own.video, nodes)):
        model = Model(id=VIDEO_WORKFLOW, operations=("videos", RUN), vram_mb=16384, licence="Apache-2.0")
        found.append(_workflow(model, Recipe((own.video,))))
    return found


def _workflow(model: Model, recipe: Recipe) -> Offer:
    return Found(model, tools=(tool(model.id, recipe),)), recipe


def _entry(own: Bench, model: Model, checkpoints: Sequence[str]) -> Offer:
    file = model.options.get("checkpoint")
    if not isinstance(file, str):
        return Found(model, "failed", 'options: checkpoint = "FILE" has to say what it is'), None
    if file not in checkpoints:
        return Found(model, "failed", f"the engine has no checkpoint {file!r}"), None
    values = {name: model.options[name] for name in _SETTINGS if name in model.options}
    try:
        size = read_size(str(model.options.get("size", "auto")), LARGEST)
    except ApiError as error:
        return Found(model, "failed", f"options: {error.message}"), None
    if size is not None:
        values |= {"width": size[0], "height": size[1]}
    operations = model.operations or (*IMAGES, RUN)
    return Found(replace(model, operations=operations)), Recipe(own.pictures, {**values, "checkpoint": file})


def _checkpoint(own: Bench, file: str) -> Offer:
    aliases = (file,) if not re.search(r"\s", file) else ()
    model = Model(id=_id(_ENDINGS.sub("", file)), aliases=aliases, operations=(*IMAGES, RUN))
    return Found(model), Recipe(own.pictures, {"checkpoint": file})


def _id(name: str) -> str:
    """A name that a model can have: of a folder's file the way to it with dashes."""
    return re.sub(r"[\s/\\\x00-\x1f\x7f]+", "-", name).strip("-")[:256] or "workflow"


def objections(workflow: Workflow, nodes: Nodes) -> Iterator[str]:
    """Why the engine cannot run the workflow as it stands: kinds of nodes that it lacks, files that are not there."""
    filled = {place for one in workflow.mapping.inputs.values() for place in one.places}
    for name, node in workflow.graph.items():
        kind = node["class_type"]
        told = nodes.get(kind)
        if told is None:
            yield f"the engine has no node {kind}"
            continue
        for field, value in node["inputs"].items():
            if (name, field) in filled or link(value) is not None:
                continue
            choices = _choices(told, field)
            if choices is not None and value not in choices:
                yield f"{kind} has no {field} {value!r}"


def _choices(node: Mapping[str, Any], field: str) -> list[Any] | None:
    """What a field can be, None where it is no choice: a plain list, a COMBO's options, a dynamic combo's keys."""
    inputs = node.get("input") or {}
    told = (inputs.get("required") or {}).get(field) or (inputs.get("optional") or {}).get(field)
    if not isinstance(told, list) or not told:
        return None
    if isinstance(told[0], list):
        return told[0]
    options = told[1].get("options") if len(told) > 1 and isinstance(told[1], dict) else None
    if told[0] not in ("COMBO", _DYNAMIC) or not isinstance(options, list):
        return None
    return [one.get("key") if isinstance(one, dict) else one for one in options]
