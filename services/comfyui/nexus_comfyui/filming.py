"""OpenAI's answer for a video: one prompt of the engine's, in the size and length that were asked for."""

import asyncio
import base64
import secrets
import time
from contextlib import aclosing
from typing import Any, Final

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.contract.wire.videos import ImageReference, VideosRequest
from nexus.sdk.engine import Call, Form
from nexus.sdk.media.data_urls import read_data_url
from nexus.sdk.media.picture_files import png, read_given
from nexus.sdk.media.picture_fitting import fitted
from nexus_comfyui.comfy import Comfy
from nexus_comfyui.outputs import SavedFile
from nexus_comfyui.progression import Step
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.run import Files, Prompt, run
from nexus_comfyui.workflow import Workflow

_REFERENCE: Final = "input_reference"
_SEEDS: Final = 2**31
_MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
}


async def filmed(comfy: Comfy, recipe: Recipe, asked: Form | VideosRequest, call: Call) -> dict[str, Any]:
    """The finished video, with a thumbnail where the workflow saves one. Raises ApiError."""
    request = asked.validated(VideosRequest) if isinstance(asked, Form) else asked
    if request.remix_video is not None or (isinstance(asked, Form) and "remix_video" in asked.files):
        raise ApiError(INVALID_REQUEST, "remix_video: this model changes no videos", param="remix_video")
    reference = _reference(asked, request)
    workflow = recipe.workflow("videos", 0 if reference is None else 1, masked=False)
    frames = _frames(workflow, request)
    values = recipe.settled(workflow, _values(workflow, request, frames))
    if reference is not None:
        picture = await asyncio.to_thread(read_given, reference, _REFERENCE)
        room = tuple(workflow.mapping.inputs[side].rounded(values[side]) for side in ("width", "height"))
        body = await asyncio.to_thread(lambda: png(fitted(picture.opaque(), room)))
        values[workflow.mapping.images[0]] = await comfy.upload(body)
    files = await _run(comfy, Prompt(workflow, values), call)
    width, height = request.frame_size
    return {
        "created": int(time.time()),
        "model": call.model.id,
        "seconds": f"{frames / request.frame_rate:g}",
        "size": f"{width}x{height}",
        "data": await _variants(comfy, workflow, files),
    }


def _values(workflow: Workflow, request: VideosRequest, frames: int) -> dict[str, Any]:
    width, height = request.frame_size
    known = workflow.mapping.inputs
    values: dict[str, Any] = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
        "width": width,
        "height": height,
        "frames": frames,
        "fps": request.frame_rate,
    }
    if "seed" in known:
        values["seed"] = secrets.randbelow(_SEEDS) if request.seed is None else request.seed
    if "final_width" in known and "final_height" in known:
        values |= {"final_width": width, "final_height": height}
    else:
        for side, pixels in (("width", width), ("height", height)):
            if known[side].rounded(pixels) != pixels:
                step = known[side].multiple_of
                raise ApiError(INVALID_REQUEST, f"size: both sides must be multiples of {step}", param="size")
    if "final_frames" in known:
        values["final_frames"] = frames
    if "poster_frame" in known:
        values["poster_frame"] = frames // 3
    return values


def _frames(workflow: Workflow, request: VideosRequest) -> int:
    """How many frames the video will have: those asked for, where the workflow can cut to them."""
    if "final_frames" in workflow.mapping.inputs:
        return request.frame_count
    rounded: int = workflow.mapping.inputs["frames"].rounded(request.frame_count)
    return rounded


def _reference(asked: Form | VideosRequest, request: VideosRequest) -> bytes | None:
    if isinstance(asked, Form) and _REFERENCE in asked.files:
        return asked.file(_REFERENCE).body
    given = request.input_reference
    url = given.image_url if isinstance(given, ImageReference) else given
    return None if url is None else read_data_url(url, _REFERENCE).body


async def _run(comfy: Comfy, prompt: Prompt, call: Call) -> tuple[SavedFile, ...]:
    async with aclosing(run(comfy, prompt)) as told:
        async for one in told:
            if isinstance(one, Step):
                call.report(one.fraction, one.message)
            elif isinstance(one, Files):
                return one.saved
    raise ApiError(UPSTREAM_ERROR, "the engine told no end of the prompt")


async def _variants(comfy: Comfy, workflow: Workflow, saved: tuple[SavedFile, ...]) -> list[dict[str, str]]:
    video = next((file for file in saved if file.is_video), None)
    if video is None:
        raise ApiError(UPSTREAM_ERROR, "the engine saved no video")
    thumbnail = next((file for file in saved if file.node == workflow.mapping.thumbnail), None)
    variants = []
    for name, file in (("video", video), ("thumbnail", thumbnail)):
        if file is not None:
            body, told = await comfy.file(file)
            ending = file.filename[file.filename.rfind(".") :].lower()
            media_type = _MEDIA_TYPES.get(ending, told)
            text = await asyncio.to_thread(base64.b64encode, body)
            variants.append({"variant": name, "media_type": media_type, "b64_json": text.decode("ascii")})
    return variants
