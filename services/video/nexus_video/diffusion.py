"""A text-to-video or image-to-video pipeline of diffusers, read from a folder: the one place that uses torch.

Needs the packages of `requirements-diffusers.txt`, so nothing imports this module before a manifest entry wants it.
"""

import gc
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.engine import Call
from nexus_video.film import Film, Frame
from nexus_video.order import Order
from nexus_video.pictures import Picture, covering, fitted, read_picture, seen

_DRAWN_SHARE: Final = 0.95  # of the whole work; encoding is the rest


class Options(BaseModel):
    """A manifest entry's `[options]`.

    `steps` and `guidance` are used where a request says nothing. Sides are drawn in multiples of `size_step` pixels and
    frames as a multiple of `frame_step` and one more, as the network's autoencoder packs them; what is too much is cut
    off. `offload` keeps only the part of the model that works on the GPU.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["diffusers"]
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    offload: bool = False
    steps: Annotated[int, Field(ge=1)] = 30
    guidance: Annotated[float, Field(ge=0)] = 5.0
    size_step: Annotated[int, Field(ge=1)] = 16
    frame_step: Annotated[int, Field(ge=1)] = 4
    most_frames: Annotated[int, Field(ge=1)] = 121


class DiffusionFilms:
    """One pipeline. It draws all frames of a film together; the service lets one call in at a time."""

    def __init__(self, path: Path | None, options: Mapping[str, Any], threads: int) -> None:
        if path is None or not path.is_dir():
            raise RuntimeError("a diffusers model needs a [source] that is a pipeline's folder")
        self._options = Options.model_validate(dict(options))
        self._device = _device(self._options.device)
        torch.set_num_threads(threads)
        self._pipeline = DiffusionPipeline.from_pretrained(
            path, dtype=_dtype(self._options.dtype, self._device), local_files_only=True, use_safetensors=True
        )
        self._pipeline.set_progress_bar_config(disable=True)
        if self._options.offload and self._device != "cpu":
            self._pipeline.enable_model_cpu_offload(device=self._device)
        else:
            self._pipeline.to(self._device)
        self._takes = inspect.signature(self._pipeline.__call__).parameters
        self._call: Call | None = None
        self._watch_layers()

    def film(self, order: Order, call: Call) -> Film:
        """Draws the film. Raises ApiError for what the pipeline cannot do, and once the call is cancelled."""
        if order.video is not None:
            raise _refusal("remix_video", "this model cannot change a video")
        if order.count > self._options.most_frames:
            most = self._options.most_frames
            raise _refusal("num_frames", f"this model makes at most {most} frames; {order.count} were asked for")
        width, height = (_in_steps(side, self._options.size_step) for side in order.size)
        asked = self._asked(order, call) | {"width": width, "height": height}
        asked |= self._start(order, (width, height))
        self._call = call
        try:
            with torch.inference_mode():
                drawn = self._pipeline(**{name: value for name, value in asked.items() if name in self._takes})
        finally:
            self._call = None
        return Film(_frames(drawn.frames[0], order), _DRAWN_SHARE)

    def close(self) -> None:
        """Give back the pipeline's memory."""
        del self._pipeline
        gc.collect()  # a pipeline and its hooks hold one another
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _asked(self, order: Order, call: Call) -> dict[str, Any]:
        steps = order.steps or self._options.steps

        def drawn(_pipeline: Any, step: int, _time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            call.report(_DRAWN_SHARE * (step + 1) / (steps + 1), f"step {step + 1} of {steps}")
            return kept

        return {
            "prompt": order.prompt,
            "negative_prompt": order.negative_prompt,
            "num_frames": _in_steps(order.count - 1, self._options.frame_step) + 1,
            "frame_rate": order.fps,
            "num_inference_steps": steps,
            "guidance_scale": self._options.guidance if order.guidance is None else order.guidance,
            "generator": torch.Generator("cpu").manual_seed(order.seed),
            "output_type": "np",
            "callback_on_step_end": drawn,
        }

    def _start(self, order: Order, size: tuple[int, int]) -> dict[str, Picture]:
        """The picture to start from, for a pipeline that takes one."""
        parameter = self._takes.get("image")
        if order.picture is None:
            if parameter is not None and parameter.default is inspect.Parameter.empty:
                raise _refusal("input_reference", "this model needs a picture to start from")
            return {}
        if parameter is None:
            raise _refusal("input_reference", "this model starts from words alone")
        picture = read_picture(order.picture, "input_reference", 2 * max(size))
        return {"image": seen(picture, covering(picture, size), size)}

    def _watch_layers(self) -> None:
        """Look before every layer of every network whether the call goes on: one step may take many seconds."""

        def look(*_: Any) -> None:
            if self._call is not None:
                self._call.go_on()

        for network in self._pipeline.components.values():
            if isinstance(network, torch.nn.Module):
                for layer in network.modules():
                    if not any(layer.children()):
                        layer.register_forward_pre_hook(look)


def _frames(drawn: NDArray[np.float32], order: Order) -> Iterator[Frame]:
    """The first of the drawn frames (frames, height, width, 3; 0 to 1), as many as were asked for."""
    if len(drawn) < order.count:
        raise _refusal("num_frames", f"this model made {len(drawn)} frames; {order.count} were asked for")
    for frame in drawn[: order.count]:
        yield fitted((np.nan_to_num(frame).clip(0, 1) * 255).round().astype(np.uint8), order.size)


def _in_steps(number: int, step: int) -> int:
    """The next multiple of `step` that is not less."""
    return -(-number // step) * step


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype(wanted: str, device: str) -> torch.dtype:
    named = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    return named.get(wanted, torch.float32 if device == "cpu" else torch.bfloat16)


def _refusal(param: str, reason: str) -> ApiError:
    return ApiError(INVALID_REQUEST, f"{param}: {reason}", param=param)
