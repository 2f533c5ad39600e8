"""The mapping of a workflow that brings none: told from the nodes that most workflows are made of. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from nexus_comfyui.mapping import ALPHA, Mapping
from nexus_comfyui.workflow import Graph, link

_VIDEO_SAVERS: Final = ("SaveVideo", "SaveWEBM", "VHS_VideoCombine")
_SIZED: Final = ("Latent", "ImageToVideo", "ImageScale")


def deduced(graph: Graph) -> Mapping:
    """The inputs and operations that the graph shows; what cannot be told is left to the workflow."""
    inputs: dict[str, Any] = {
        "prompt": _texts(graph, "positive") or _loose_texts(graph),
        "negative_prompt": _texts(graph, "negative"),
        "seed": [*_fields(graph, "seed", int), *_fields(graph, "noise_seed", int)],
        "steps": _fields(graph, "steps", int),
        "guidance_scale": _fields(graph, "cfg", float),
        "width": _sides(graph, "width"),
        "height": _sides(graph, "height"),
        "frames": [place for place in _fields(graph, "length", int) if "Latent" in _kind(graph, place)],
        "fps": [place for place in _fields(graph, "fps", float) if "Video" in _kind(graph, place)],
    }
    for number, place in enumerate(_of_class(graph, "LoadImage", "image"), start=1):
        inputs["image" if number == 1 else f"image_{number}"] = [place]
    inputs["mask"] = _of_class(graph, "LoadImageMask", "image") or _alphas(graph)
    found = {name: {"fields": places, **_rounding(graph, name, places)} for name, places in inputs.items() if places}
    if "image" in found:
        found["strength"] = {"fields": _fields(graph, "denoise", float)}
        if not found["strength"]["fields"]:
            del found["strength"]
    return Mapping.model_validate({"inputs": found, "operations": _operations(graph, found)})


def _rounding(graph: Graph, name: str, places: Sequence[str]) -> dict[str, int]:
    """Sides that every latent takes, and the lengths that the families of video models are made for."""
    if name in ("width", "height"):
        return {"multiple_of": 16}
    if name == "frames":
        return {"multiple_of": 8 if any("LTX" in _kind(graph, place) for place in places) else 4, "plus": 1}
    return {}


def _alphas(graph: Graph) -> list[str]:
    """The pictures whose second output, the mask of their alpha, is used."""
    used = {tuple(value) for node in graph.values() for value in node["inputs"].values() if link(value)}
    return [
        f"{name}.{ALPHA}" for name, node in graph.items() if node["class_type"] == "LoadImage" and (name, 1) in used
    ]


def _operations(graph: Graph, inputs: dict[str, Any]) -> tuple[str, ...]:
    classes = {node["class_type"] for node in graph.values()}
    if classes & set(_VIDEO_SAVERS):
        return ("videos",) if {"prompt", "width", "height", "frames", "fps"} <= set(inputs) else ()
    if not {"SaveImage", "PreviewImage"} & classes or "prompt" not in inputs:
        return ()
    return ("images.edits",) if "image" in inputs else ("images.generations",)


def _fields(graph: Graph, field: str, kind: type) -> list[str]:
    """Every field of that name that holds a number of its own."""
    kinds = (int, float) if kind is float else (kind,)
    return [
        f"{name}.{field}"
        for name, node in graph.items()
        if isinstance(node["inputs"].get(field), kinds) and not isinstance(node["inputs"][field], bool)
    ]


def _sides(graph: Graph, field: str) -> list[str]:
    places = _fields(graph, field, int)
    return [place for place in places if any(word in _kind(graph, place) for word in _SIZED)]


def _of_class(graph: Graph, kind: str, field: str) -> list[str]:
    return [f"{name}.{field}" for name, node in graph.items() if node["class_type"] == kind and field in node["inputs"]]


def _kind(graph: Graph, place: str) -> str:
    return graph[place.partition(".")[0]]["class_type"]


def _texts(graph: Graph, role: str) -> list[str]:
    """The text fields that a sampler's `positive` or `negative` comes from."""
    starts = [link(node["inputs"].get(role)) for node in graph.values()]
    return list(dict.fromkeys(place for start in starts if start for place in _upstream(graph, start, role, set())))


def _loose_texts(graph: Graph) -> list[str]:
    """The only text of a workflow whose samplers do not tell them apart."""
    places = [f"{name}.text" for name, node in graph.items() if isinstance(node["inputs"].get("text"), str)]
    return places if len(places) == 1 else []


def _upstream(graph: Graph, name: str, role: str, seen: set[str]) -> Iterator[str]:
    """The nearest texts above a node; where the node itself has both roles, the way goes on in its own."""
    if name in seen or name not in graph:
        return
    seen.add(name)
    inputs = graph[name]["inputs"]
    for field in ("text", "prompt"):
        if isinstance(inputs.get(field), str):
            yield f"{name}.{field}"
            return
    links: Sequence[Any] = [inputs[role]] if role in inputs else list(inputs.values())
    for value in links:
        if (above := link(value)) is not None:
            yield from _upstream(graph, above, role, seen)
