"""OpenAI's answers for pictures: each seed is one prompt of the engine's, its previews the partial images."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.sdk.engine import Call, Event
from nexus.sdk.media import picture_answers
from nexus.sdk.media.picture_answers import Made, Shown, Unfinished, preview_marks
from nexus.sdk.media.picture_files import from_engine, png
from nexus.sdk.media.picture_fitting import bordered, cut, fitted
from nexus.sdk.media.picture_requests import PicturesAsked
from nexus_comfyui.comfy import Comfy
from nexus_comfyui.outputs import SavedFile
from nexus_comfyui.pictures import mask_png, masked_png
from nexus_comfyui.progression import Preview, Step
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.run import Files, Prompt, run
from nexus_comfyui.workflow import Workflow

_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class Commission:
    """A request with the workflow that was chosen for it, and its pictures' names at the engine."""

    asked: PicturesAsked
    workflow: Workflow
    values: Mapping[str, Any]
    size: tuple[int, int] | None


async def commissioned(comfy: Comfy, recipe: Recipe, operation: str, asked: PicturesAsked) -> Commission:
    """The request made ready: its workflow chosen and its pictures sent to the engine. Raises ApiError."""
    workflow = recipe.workflow(operation, len(asked.images), masked=asked.mask is not None)
    given: dict[str, Any] = {
        "prompt": asked.prompt,
        "negative_prompt": asked.negative_prompt,
        "steps": asked.steps,
        "guidance_scale": asked.guidance_scale,
        "strength": asked.strength,
    }
    if not asked.prompt:
        del given["prompt"]
    values = recipe.settled(workflow, given)
    size = asked.size or _own_size(recipe)
    if size is not None and "width" in workflow.mapping.inputs and "height" in workflow.mapping.inputs:
        values |= {"width": size[0], "height": size[1]}
    elif size is not None and not asked.images:
        raise ApiError(INVALID_REQUEST, "size: this model's workflow has one of its own", param="size")
    if asked.images and size is not None:
        values |= await _sent(comfy, workflow, asked, size)
    return Commission(asked, workflow, values, size)


async def whole_answer(comfy: Comfy, work: Commission, call: Call) -> dict[str, Any]:
    """All pictures, made one after another. Raises ApiError."""
    return await picture_answers.whole_answer(work.asked, partial(_painted, comfy, work, call))


def events(comfy: Comfy, work: Commission, call: Call) -> AsyncGenerator[Event, None]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises ApiError."""
    return picture_answers.events(work.asked, partial(_painted, comfy, work, call))


async def _painted(comfy: Comfy, work: Commission, call: Call, place: int) -> Shown:
    """Previews at even parts of the way, as many as are wanted, then the picture of the seed at `place`."""
    asked, count = work.asked, len(work.asked.seeds)
    which = f"picture {place + 1} of {count}: " if count > 1 else ""
    values = dict(work.values)
    if "seed" in work.workflow.mapping.inputs:
        values["seed"] = asked.seeds[place]
    marks = preview_marks(asked.previews)
    async with aclosing(run(comfy, Prompt(work.workflow, values, bool(asked.previews)))) as told:
        async for one in told:
            if isinstance(one, Step):
                call.report((place + one.fraction) / count, f"{which}{one.message}")
            elif isinstance(one, Files):
                body, _ = await comfy.file(_picture(one.saved))
                yield await asyncio.to_thread(_finished, body, work)
            elif marks and one.fraction >= marks[0]:
                marks = [mark for mark in marks if mark > one.fraction]
                yield await asyncio.to_thread(_unfinished, one, work)


def _picture(saved: tuple[SavedFile, ...]) -> SavedFile:
    for file in saved:
        if not file.is_video:
            return file
    raise ApiError(UPSTREAM_ERROR, "the engine saved no picture")


def _finished(body: bytes, work: Commission) -> Made:
    """The picture in the asked size, in which nothing has changed where the mask forbids it."""
    picture = from_engine(body)
    return Made(picture if work.size is None else work.asked.kept(cut(picture, work.size)))


def _unfinished(preview: Preview, work: Commission) -> Unfinished:
    picture = from_engine(preview.body)
    return Unfinished(picture if work.size is None else work.asked.kept(fitted(picture, work.size)))


async def _sent(comfy: Comfy, workflow: Workflow, asked: PicturesAsked, size: tuple[int, int]) -> dict[str, str]:
    """The request's pictures at the engine, by the names of their inputs."""
    room = -(-size[0] // _STEP) * _STEP, -(-size[1] // _STEP) * _STEP
    sent: dict[str, str] = {}
    mask = None if asked.mask is None else bordered(fitted(asked.mask, size), room)
    in_alpha = "mask" in workflow.mapping.inputs and workflow.mapping.inputs["mask"].in_alpha
    for place, (name, image) in enumerate(zip(workflow.mapping.images, asked.images, strict=False)):
        picture = bordered(fitted(image, size), room)
        if mask is not None and in_alpha and place == 0:
            body = await asyncio.to_thread(masked_png, picture, mask)
        else:
            body = await asyncio.to_thread(png, picture)
        sent[name] = await comfy.upload(body)
    if mask is not None and not in_alpha:
        sent["mask"] = await comfy.upload(await asyncio.to_thread(mask_png, mask))
    elif mask is not None:
        sent["mask"] = "alpha"
    return sent


def _own_size(recipe: Recipe) -> tuple[int, int] | None:
    width, height = recipe.values.get("width"), recipe.values.get("height")
    return (width, height) if width and height else None
