"""What the simulated ComfyUI computes: pictures that depend on everything a real one's would, drawn in no time.

`NODES` says of each kind what `/object_info` tells; `Painter` runs a graph.
"""

import hashlib
import io
import json
from typing import Any

from PIL import Image

Graph = dict[str, dict[str, Any]]
SAMPLERS = ["euler", "euler_ancestral", "dpmpp_2m", "uni_pc"]
SCHEDULERS = ["normal", "karras", "simple"]
_AUTO = {"key": "auto", "inputs": {"required": {}}}


def nodes(files: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """What the engine says of its kinds of nodes; `files` are its models by folder."""
    number = ["INT", {"default": 1, "min": 0, "max": 0xFFFFFFFFFFFFFFFF}]
    side = ["INT", {"default": 1024, "min": 16, "max": 16384, "step": 8}]
    real, text = ["FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0}], ["STRING", {"multiline": True}]
    part = ["FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0}]
    link = {name: [name] for name in ("MODEL", "CLIP", "VAE", "LATENT", "IMAGE", "MASK", "CONDITIONING", "VIDEO")}
    prefix = {"filename_prefix": ["STRING", {"default": "ComfyUI"}]}
    required: dict[str, dict[str, Any]] = {
        "CheckpointLoaderSimple": {"ckpt_name": [files["checkpoints"], {"tooltip": "The checkpoint."}]},
        "CLIPTextEncode": {"text": text, "clip": link["CLIP"]},
        "EmptyLatentImage": {"width": side, "height": side, "batch_size": number},
        "KSampler": {
            "model": link["MODEL"],
            "seed": number,
            "steps": ["INT", {"min": 1, "max": 10000}],
            "cfg": real,
            "sampler_name": [SAMPLERS],
            "scheduler": [SCHEDULERS],
            "latent_image": link["LATENT"],
            "positive": link["CONDITIONING"],
            "negative": link["CONDITIONING"],
            "denoise": part,
        },
        "VAEDecode": {"samples": link["LATENT"], "vae": link["VAE"]},
        "VAEEncode": {"pixels": link["IMAGE"], "vae": link["VAE"]},
        "SetLatentNoiseMask": {"samples": link["LATENT"], "mask": link["MASK"]},
        "LoadImage": {"image": ["COMBO", {"image_upload": True, "image_folder": "input", "remote": True}]},
        "LoadImageMask": {"image": ["COMBO", {"remote": True}], "channel": [["alpha", "red", "green", "blue"]]},
        "SaveImage": {"images": link["IMAGE"], **prefix},
        "PreviewImage": {"images": link["IMAGE"]},
        "UNETLoader": {"unet_name": [files["diffusion_models"]], "weight_dtype": [["default", "fp8_e4m3fn"]]},
        "CLIPLoader": {"clip_name": [files["text_encoders"]], "type": [["stable_diffusion", "wan", "ltxv"]]},
        "VAELoader": {"vae_name": [files["vae"]]},
        "ModelSamplingSD3": {"model": link["MODEL"], "shift": real},
        "Wan22ImageToVideoLatent": {"vae": link["VAE"], "width": side, "height": side, "length": number}
        | {"batch_size": number},
        "ImageFromBatch": {"image": link["IMAGE"], "batch_index": number, "length": number},
        "ImageScale": {"image": link["IMAGE"], "upscale_method": [["nearest-exact", "lanczos"]]}
        | {"width": side, "height": side, "crop": [["disabled", "center"]]},
        "CreateVideo": {"images": link["IMAGE"], "fps": real},
        "SaveVideo": {"video": link["VIDEO"], **prefix}
        | {"format": ["COMFY_DYNAMICCOMBO_V3", {"options": [_AUTO, {"key": "mp4", "inputs": {}}]}]},
    }
    optional = {
        "CLIPLoader": {"device": [["default", "cpu"]]},
        "Wan22ImageToVideoLatent": {"start_image": link["IMAGE"]},
        "SaveVideo": {"codec": ["COMFY_DYNAMICCOMBO_V3", {"options": [_AUTO], "hidden": True}]},
    }
    savers = ("SaveImage", "PreviewImage", "SaveVideo")
    return {
        name: {"name": name, "input": {"required": fields, "optional": optional.get(name, {})}}
        | {"output_node": name in savers, "python_module": "nodes"}
        for name, fields in required.items()
    }


class Painter:
    """One run of a graph. `inputs` are the uploaded files; what is saved comes back by `saved`."""

    def __init__(self, graph: Graph, inputs: dict[str, bytes]) -> None:
        self._graph = graph
        self._inputs = inputs
        self._made: dict[str, tuple[Any, ...]] = {}

    def key(self, name: str) -> str:
        """What a node's result depends on: its own inputs, and those of all that it is linked to."""
        node = self._graph[name]
        told = {field: self.key(v[0]) if _is_link(v) else v for field, v in node["inputs"].items()}
        return hashlib.sha256(json.dumps([node["class_type"], told], sort_keys=True).encode()).hexdigest()

    def run(self, name: str) -> tuple[Any, ...]:
        if name not in self._made:
            node = self._graph[name]
            given = {f: self.run(v[0])[v[1]] if _is_link(v) else v for f, v in node["inputs"].items()}
            method = getattr(self, f"_{node['class_type'].lower()}", self._tokens)
            self._made[name] = method(name, **given)
        return self._made[name]

    def saved(self, name: str) -> tuple[bytes, str]:
        """The file that a node saves, and its ending."""
        self.run(name)
        made = self._made[name][0]
        if isinstance(made, dict):
            return b"\x00\x00\x00\x18ftypmp42" + json.dumps(made).encode(), "mp4"
        target = io.BytesIO()
        made[0].save(target, "PNG")
        return target.getvalue(), "png"

    def _tokens(self, name: str, **given: Any) -> tuple[Any, ...]:
        """What only others make use of: a model, a text's meaning."""
        return tuple(f"{self.key(name)}:{slot}" for slot in range(3))

    def _emptylatentimage(self, name: str, width: int, height: int, **_: Any) -> tuple[Any, ...]:
        return ({"frames": [Image.new("RGB", (width // 8 * 8, height // 8 * 8))], "mask": None},)

    def _loadimage(self, name: str, image: str) -> tuple[Any, ...]:
        picture = Image.open(io.BytesIO(self._inputs[image]))
        alpha = picture.getchannel("A") if "A" in picture.getbands() else Image.new("L", picture.size, 255)
        return [picture.convert("RGB")], alpha.point(lambda value: 255 - value)

    def _loadimagemask(self, name: str, image: str, channel: str) -> tuple[Any, ...]:
        picture = Image.open(io.BytesIO(self._inputs[image])).convert("RGBA")
        if channel == "alpha":
            return (picture.getchannel("A").point(lambda value: 255 - value),)
        return (picture.getchannel(channel[0].upper()),)

    def _vaeencode(self, name: str, pixels: Any, **_: Any) -> tuple[Any, ...]:
        width, height = (side // 8 * 8 for side in pixels[0].size)
        return ({"frames": [pixels[0].crop((0, 0, width, height))], "mask": None},)

    def _setlatentnoisemask(self, name: str, samples: Any, mask: Any) -> tuple[Any, ...]:
        return ({**samples, "mask": mask},)

    def _wan22imagetovideolatent(self, name: str, width: int, height: int, length: int, **more: Any) -> tuple[Any, ...]:
        start = more.get("start_image")
        first = start[0].resize((width, height)) if start else Image.new("RGB", (width, height))
        return ({"frames": [first] * ((length - 1) // 4 * 4 + 1), "mask": None},)

    def _ksampler(self, name: str, latent_image: Any, denoise: float, **_: Any) -> tuple[Any, ...]:
        colour = tuple(bytes.fromhex(self.key(name))[:3])
        frames = []
        for frame in latent_image["frames"][:1]:
            new = Image.new("RGB", frame.size, colour)
            mixed = Image.blend(frame, new, denoise)
            mask = latent_image["mask"]
            frames.append(Image.composite(mixed, frame, mask.resize(frame.size)) if mask else mixed)
        return ({"frames": frames * len(latent_image["frames"]), "mask": None},)

    def _vaedecode(self, name: str, samples: Any, **_: Any) -> tuple[Any, ...]:
        return (samples["frames"],)

    def _imagefrombatch(self, name: str, image: Any, batch_index: int, length: int) -> tuple[Any, ...]:
        return (image[batch_index : batch_index + length],)

    def _imagescale(self, name: str, image: Any, width: int, height: int, **_: Any) -> tuple[Any, ...]:
        scaled = image[0].resize((width, height))
        return ([scaled] * len(image),)

    def _createvideo(self, name: str, images: Any, fps: float) -> tuple[Any, ...]:
        width, height = images[0].size
        return ({"width": width, "height": height, "frames": len(images), "fps": fps},)

    def _saveimage(self, name: str, images: Any, **_: Any) -> tuple[Any, ...]:
        return (images,)

    _previewimage = _saveimage

    def _savevideo(self, name: str, video: Any, **_: Any) -> tuple[Any, ...]:
        return (video,)


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
