"""InvokeAI's graphs for SDXL: from words, from a picture, and of a part of a picture. Pure.

A graph is `{"id", "nodes": {id: node}, "edges": [{"source": {"node_id", "field"}, "destination": {…}}]}`; the node
classes are those of InvokeAI 6.
"""

from dataclasses import dataclass
from typing import Any, Final

SEEDS: Final = 2**32
LARGEST: Final = 2048
STEP: Final = 8
RESULT: Final = "l2i"
_SAMPLER: Final = "denoise"
SCHEDULERS: Final = (
    *("ddim", "ddpm", "deis", "deis_k", "lms", "lms_k", "pndm", "heun", "heun_k", "euler", "euler_k", "euler_a"),
    *("kdpm_2", "kdpm_2_k", "kdpm_2_a", "kdpm_2_a_k", "dpmpp_2s", "dpmpp_2s_k", "dpmpp_2m", "dpmpp_2m_k"),
    *("dpmpp_2m_sde", "dpmpp_2m_sde_k", "dpmpp_3m", "dpmpp_3m_k", "dpmpp_sde", "dpmpp_sde_k", "er_sde"),
    *("unipc", "unipc_k", "lcm", "tcd"),
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a graph is to draw: `model` is the engine's identifier of it, sides are multiples of 8.

    `image` and `mask` are the names of uploaded pictures; the mask is black where the picture may change. `strength`
    tells how far to go from the picture, 0 to 1.
    """

    model: dict[str, str]
    prompt: str
    width: int
    height: int
    seed: int
    steps: int
    cfg_scale: float
    scheduler: str
    negative_prompt: str = ""
    image: str | None = None
    mask: str | None = None
    strength: float = 1.0


def graph(drawing: Drawing) -> dict[str, Any]:
    """The graph that draws it; the picture comes out of the node `RESULT`."""
    nodes = _common_nodes(drawing)
    edges = [
        ("ml.unet", "denoise.unet"),
        ("ml.clip", "pos.clip"),
        ("ml.clip", "neg.clip"),
        ("ml.clip2", "pos.clip2"),
        ("ml.clip2", "neg.clip2"),
        ("ml.vae", "l2i.vae"),
        ("pos.conditioning", "denoise.positive_conditioning"),
        ("neg.conditioning", "denoise.negative_conditioning"),
        ("noise.noise", "denoise.noise"),
        ("denoise.latents", "l2i.latents"),
    ]
    if drawing.image is not None:
        nodes["i2l"] = {"type": "i2l", "image": {"image_name": drawing.image}}
        edges += [("ml.vae", "i2l.vae"), ("i2l.latents", "denoise.latents")]
    if drawing.mask is not None:
        picture = {"image_name": drawing.image}
        nodes["mask"] = {"type": "create_denoise_mask", "image": picture, "mask": {"image_name": drawing.mask}}
        edges += [("ml.vae", "mask.vae"), ("mask.denoise_mask", "denoise.denoise_mask")]
    return {
        "id": "nexus",
        "nodes": {name: {"id": name, **node} for name, node in nodes.items()},
        "edges": [{"source": _end(source), "destination": _end(destination)} for source, destination in edges],
    }


def weights(built: dict[str, Any]) -> dict[str, float]:
    """How much of the work each node is: the sampler twenty times as much as others."""
    return {name: 20.0 if name == _SAMPLER else 1.0 for name in built["nodes"]}


def _common_nodes(drawing: Drawing) -> dict[str, dict[str, Any]]:
    size = {
        f"{kind}_{side}": value
        for kind in ("original", "target")
        for side, value in (("width", drawing.width), ("height", drawing.height))
    }
    return {
        "ml": {"type": "sdxl_model_loader", "model": drawing.model},
        "pos": {"type": "sdxl_compel_prompt", "prompt": drawing.prompt, "style": drawing.prompt, **size},
        "neg": {
            "type": "sdxl_compel_prompt",
            "prompt": drawing.negative_prompt,
            "style": drawing.negative_prompt,
            **size,
        },
        "noise": {
            "type": "noise",
            "seed": drawing.seed % SEEDS,
            "width": drawing.width,
            "height": drawing.height,
            "use_cpu": True,
        },
        "denoise": {
            "type": "denoise_latents",
            "steps": drawing.steps,
            "cfg_scale": drawing.cfg_scale,
            "scheduler": drawing.scheduler,
            "denoising_start": 0.0 if drawing.image is None else round(1 - drawing.strength, 6),
            "denoising_end": 1.0,
        },
        RESULT: {"type": "l2i", "is_intermediate": False, "use_cache": False},
    }


def _end(place: str) -> dict[str, str]:
    node, _, field = place.partition(".")
    return {"node_id": node, "field": field}
