"""OpenAI's answers for pictures: each seed is one prompt of the engine's, its previews the partial images."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.sdk.engine import Call, Event
from nexus_comfyui import pictures
from nexus_comfyui.asked import Asked
from nexus_comfyui.comfy import Comfy
from nexus_comfyui.outputs import SavedFile
from nexus_comfyui.progression import Preview, Step
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.run import Files, Prompt, run
from nexus_comfyui.workflow import Workflow

PATCH: Final = 32
_STEP: Final = 8
_QUALITIES: Final = {"hd": "high", "standard": "medium", "auto": "medium"}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A picture that is not done."""

    image: Image.Image


Pictures = AsyncGenerator[Image.Image | Unfinished, None]


@dataclass(frozen=True, slots=True)
class Commission:
    """A request with the workflow that was chosen for it, and its pictures' names at the engine."""

    asked: Asked
    workflow: Workflow
    values: Mapping[str, Any]
    size: tuple[int, int] | None


async def commissioned(comfy: Comfy, recipe: Recipe, operation: str, asked: Asked) -> Commission:
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
    made: list[Any] = []
    for place in range(len(work.asked.seeds)):
        async with aclosing(_painted(comfy, work, place, call)) as shown:
            made += [picture async for picture in shown]
    asked = work.asked
    return {
        "created": int(time.time()),
        "data": [{"b64_json": await asyncio.to_thread(_written, picture, asked)} for picture in made],
        "background": "opaque",
        "output_format": asked.file_format,
        "size": "x".join(str(side) for side in made[0].size),
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "usage": _usage(work, made[0].size, len(made)),
    }


async def events(comfy: Comfy, work: Commission, call: Call) -> AsyncGenerator[Event, None]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises ApiError."""
    for place in range(len(work.asked.seeds)):
        partial = 0
        async with aclosing(_painted(comfy, work, place, call)) as shown:
            async for picture in shown:
                if isinstance(picture, Unfinished):
                    more: dict[str, Any] = {"partial_image_index": partial}
                    yield await _event(work, "partial_image", picture.image, more)
                    partial += 1
                else:
                    yield await _event(work, "completed", picture, {"usage": _usage(work, picture.size, 1)})


async def _painted(
    comfy: Comfy, work: Commission, place: int, call: Call
) -> AsyncGenerator[Image.Image | Unfinished, None]:
    """Previews at even parts of the way, as many as are wanted, then the picture of the seed at `place`."""
    asked, count = work.asked, len(work.asked.seeds)
    which = f"picture {place + 1} of {count}: " if count > 1 else ""
    values = dict(work.values)
    if "seed" in work.workflow.mapping.inputs:
        values["seed"] = asked.seeds[place]
    marks = [(number + 1) / (asked.previews + 1) for number in range(asked.previews)]
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


def _finished(body: bytes, work: Commission) -> Image.Image:
    """The picture in the asked size, in which nothing has changed where the mask forbids it."""
    picture = pictures.from_engine(body)
    if work.size is None:
        return picture
    return _kept(pictures.cut(picture, work.size), work.asked, work.size)


def _unfinished(preview: Preview, work: Commission) -> Unfinished:
    picture = pictures.from_engine(preview.body)
    if work.size is None:
        return Unfinished(picture)
    return Unfinished(_kept(pictures.fitted(picture, work.size), work.asked, work.size))


def _kept(picture: Image.Image, asked: Asked, size: tuple[int, int]) -> Image.Image:
    """The picture with the given one where the mask forbids any change."""
    if asked.mask is None:
        return picture
    return Image.composite(picture, pictures.fitted(asked.images[0], size), pictures.fitted(asked.mask, size))


async def _sent(comfy: Comfy, workflow: Workflow, asked: Asked, size: tuple[int, int]) -> dict[str, str]:
    """The request's pictures at the engine, by the names of their inputs."""
    room = -(-size[0] // _STEP) * _STEP, -(-size[1] // _STEP) * _STEP
    sent: dict[str, str] = {}
    mask = None if asked.mask is None else pictures.bordered(pictures.fitted(asked.mask, size), room)
    in_alpha = "mask" in workflow.mapping.inputs and workflow.mapping.inputs["mask"].in_alpha
    for place, (name, image) in enumerate(zip(workflow.mapping.images, asked.images, strict=False)):
        picture = pictures.bordered(pictures.fitted(image, size), room)
        body = await asyncio.to_thread(pictures.png, picture, mask if in_alpha and place == 0 else None)
        sent[name] = await comfy.upload(body)
    if mask is not None and not in_alpha:
        sent["mask"] = await comfy.upload(await asyncio.to_thread(pictures.mask_png, mask))
    elif mask is not None:
        sent["mask"] = "alpha"
    return sent


def _own_size(recipe: Recipe) -> tuple[int, int] | None:
    width, height = recipe.values.get("width"), recipe.values.get("height")
    return (width, height) if width and height else None


def _written(picture: Image.Image, asked: Asked) -> str:
    return pictures.written(picture, asked.file_format, asked.compression)


async def _event(work: Commission, kind: str, picture: Image.Image, more: dict[str, Any]) -> Event:
    asked = work.asked
    name = f"{asked.event}.{kind}"
    event = {
        "type": name,
        "b64_json": await asyncio.to_thread(_written, picture, asked),
        "created_at": int(time.time()),
        "size": "x".join(str(side) for side in picture.size),
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "background": "opaque",
        "output_format": asked.file_format,
    }
    return Event(name, {**event, **more})


def _usage(work: Commission, size: tuple[int, int], count: int) -> dict[str, Any]:
    """Tokens in and out: words, and of a picture one for each patch of 32 by 32 pixels. The engine counts none."""
    patches = -(-size[0] // PATCH) * -(-size[1] // PATCH)
    given = len(work.asked.images) + (work.asked.mask is not None)
    details = {"text_tokens": len(work.asked.prompt.split()), "image_tokens": given * patches}
    spent = sum(details.values())
    made = count * patches
    return {
        "input_tokens": spent,
        "output_tokens": made,
        "total_tokens": spent + made,
        "input_tokens_details": details,
    }
