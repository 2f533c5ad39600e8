"""diffusers' and torch's seam: any Stable Diffusion or SDXL checkpoint folder as a painter.

Importing this file needs `requirements-diffusers.txt`; nothing but the table of painters imports it.
"""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, AutoPipelineForText2Image
from diffusers.utils import logging as diffusers_logging
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from transformers.utils import logging as transformers_logging

from nexus.contract.errors import INVALID_REQUEST, OVERLOADED, ApiError
from nexus.sdk.engine import Model
from nexus_images.painter import Easel, Order, Painting

_LEAST_MULTIPLE: Final = 8  # pipelines refuse other sizes
_INDEX: Final = "model_index.json"


class Options(BaseModel):
    """A manifest entry's `[options]`: where and in which precision it computes, and what a request leaves open.

    `dtype` auto is float16 on an accelerator and float32 on a processor; `strength` is that of edits without a mask;
    `variant` names the files to read where a folder holds several of each (`fp16`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["diffusers"]
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    steps: Annotated[int, Field(ge=1, le=1000)] = 25
    guidance_scale: Annotated[float, Field(ge=0, le=100)] = 7.5
    strength: Annotated[float, Field(gt=0, le=1)] = 0.75
    variant: str | None = None


class DiffusersPainter:
    """One checkpoint's text-to-image, image-to-image and inpainting pipelines, which share its networks."""

    def __init__(self, model: Model, threads: int) -> None:
        self._options = Options.model_validate(dict(model.options))
        device = _device(self._options.device)
        torch.set_num_threads(threads)
        _quieten()
        dtype = _dtype(self._options.dtype, device)
        self._from_text = AutoPipelineForText2Image.from_pretrained(
            _folder(model), dtype=dtype, variant=self._options.variant, local_files_only=True
        ).to(device)
        self._from_image = AutoPipelineForImage2Image.from_pipe(self._from_text)
        self._inpainting = AutoPipelineForInpainting.from_pipe(self._from_text)
        for pipeline in (self._from_text, self._from_image, self._inpainting):
            pipeline.set_progress_bar_config(disable=True)
        self._multiple = max(_LEAST_MULTIPLE, int(self._from_text.vae_scale_factor))
        self.native = int(self._from_text.unet.config.sample_size) * int(self._from_text.vae_scale_factor)

    def paint(self, order: Order, easel: Easel) -> Painting:
        """A picture of the prompt; of the base too where there is one, and only inside the mask. Raises ApiError.

        Painted at the next larger size that the networks can do, and cropped at the right and the bottom.
        """
        if order.references:
            raise ApiError(INVALID_REQUEST, "image: this model edits one picture, not several", param="image")
        easel.progress(0)
        pipeline, given = self._pipeline(order)
        try:
            result = pipeline(
                **given,
                prompt=order.prompt,
                negative_prompt=order.negative_prompt,
                num_inference_steps=order.steps or self._options.steps,
                guidance_scale=self._guidance(order),
                generator=torch.Generator("cpu").manual_seed(order.seed),  # the same noise on every device
                callback_on_step_end=_watcher(order, easel),
                callback_on_step_end_tensor_inputs=["latents"],
            )
        except torch.OutOfMemoryError as error:
            raise ApiError(OVERLOADED, "the device's memory is too small for a picture of this size") from error
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise ApiError(
                INVALID_REQUEST,
                "the checkpoint's safety checker rejected the picture",
                param="prompt",
                code="content_policy_violation",
            )
        easel.progress(1)
        return Painting(_cropped(result.images[0], order), self._read(order.prompt))

    def tokens(self, text: str) -> int:
        """The tokens of the text, as the checkpoint's tokenizer counts them."""
        return len(self._ids(text))

    def close(self) -> None:
        """Let the networks go, and the accelerator's memory with them."""
        del self._from_text, self._from_image, self._inpainting
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _pipeline(self, order: Order) -> tuple[Any, dict[str, Any]]:
        """The pipeline for an order, and what it alone takes."""
        width, height = (-(-length // self._multiple) * self._multiple for length in (order.width, order.height))
        size = {"width": width, "height": height}
        if order.base is None:
            return self._from_text, size
        base = _padded(order.base, width, height)
        if order.mask is None:
            return self._from_image, {"image": base, "strength": self._strength(order, self._options.strength)}
        mask = _padded(order.mask, width, height)
        return self._inpainting, {"image": base, "mask_image": mask, "strength": self._strength(order, 1.0), **size}

    def _guidance(self, order: Order) -> float:
        return self._options.guidance_scale if order.guidance_scale is None else order.guidance_scale

    def _strength(self, order: Order, usual: float) -> float:
        """The order's strength, but never so little that no step at all would be made."""
        return max(order.strength or usual, 1 / (order.steps or self._options.steps))

    def _ids(self, text: str) -> list[int]:
        return list(self._from_text.tokenizer(text, truncation=False, verbose=False).input_ids)

    def _read(self, prompt: str) -> str | None:
        """What the text encoder read of a prompt that is too long for it."""
        ids, most = self._ids(prompt), self._from_text.tokenizer.model_max_length
        if len(ids) <= most:
            return None
        return str(self._from_text.tokenizer.decode(ids[: most - 1], skip_special_tokens=True))


def _watcher(order: Order, easel: Easel) -> Callable[..., dict[str, Any]]:
    """What is called after each step: it tells the progress, shows previews, and raises when nobody waits."""

    def after_step(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        total, done = max(1, pipeline.num_timesteps), step + 1
        easel.progress(done / (total + 1))  # the decoding is to come
        if done < total and done in _marks(order.previews, total):
            easel.show(_cropped(_decoded(pipeline, tensors["latents"]), order))
        return {}

    return after_step


def _marks(previews: int, total: int) -> set[int]:
    """The steps after which a preview is shown."""
    return {round((number + 1) * total / (previews + 1)) for number in range(previews)}


def _decoded(pipeline: Any, latents: Any) -> Image.Image:
    """The picture that unfinished latents stand for."""
    vae = pipeline.vae
    overflows = vae.dtype == torch.float16 and vae.config.force_upcast  # SDXL's decoder does in half precision
    if overflows:
        vae.to(torch.float32)
    values = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
    if overflows:
        vae.to(torch.float16)
    picture: Image.Image = pipeline.image_processor.postprocess(values.detach(), output_type="pil")[0]
    return picture


def _padded(image: Image.Image, width: int, height: int) -> Image.Image:
    """The image with its last column and row repeated to the right and below."""
    values = np.asarray(image)
    more = ((0, height - image.height), (0, width - image.width), (0, 0))
    return Image.fromarray(np.pad(values, more[: values.ndim], mode="edge"))


def _cropped(image: Image.Image, order: Order) -> Image.Image:
    return image.crop((0, 0, order.width, order.height))


def _quieten() -> None:
    """Keep the libraries from drawing progress bars, and from logging what clients ask for."""
    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _device(wanted: str) -> str:
    """The device to compute on. Raises RuntimeError where the wanted one is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, available in there.items() if available)
    if not there[wanted]:
        raise RuntimeError(f"the entry's [options] device is {wanted!r}, which this machine or its torch lacks")
    return wanted


def _dtype(wanted: str, device: str) -> torch.dtype:
    if wanted == "auto":
        return torch.float32 if device == "cpu" else torch.float16
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[wanted]


def _folder(model: Model) -> Path:
    if model.path is None or not (model.path / _INDEX).is_file():
        raise RuntimeError(f"the manifest entry of {model.id} gives no checkpoint folder (one with a {_INDEX})")
    return model.path
