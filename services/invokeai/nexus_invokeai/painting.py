"""OpenAI's answers for pictures: each seed is one item of the engine's queue, its previews the partial images."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PIL import Image, ImageOps

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.engine import Call, Event
from nexus.sdk.media import picture_answers
from nexus.sdk.media.picture_answers import Made, Shown, Unfinished, preview_marks
from nexus.sdk.media.picture_files import from_engine, png
from nexus.sdk.media.picture_fitting import bordered, cut, fitted
from nexus.sdk.media.picture_requests import PicturesAsked
from nexus_invokeai.graphs import STEP, Drawing
from nexus_invokeai.invoke import Invoke
from nexus_invokeai.offers import Palette
from nexus_invokeai.progression import Preview, Step
from nexus_invokeai.run import bounded, run


@dataclass(frozen=True, slots=True)
class Commission:
    """A request with what is to be drawn for it, but for the seeds; `keep`: its pictures stay at the engine, too."""

    asked: PicturesAsked
    drawing: Drawing
    size: tuple[int, int]
    keep: bool


@asynccontextmanager
async def commissioned(
    invoke: Invoke, palette: Palette, asked: PicturesAsked, *, keep: bool
) -> AsyncGenerator[Commission, None]:
    """The request made ready, its pictures at the engine as long as they are needed. Raises ApiError."""
    if len(asked.images) > 1:
        message = f"image: this model takes one picture, not {len(asked.images)}"
        raise ApiError(INVALID_REQUEST, message, param="image")
    guidance = palette.guidance_scale if asked.guidance_scale is None else asked.guidance_scale
    if guidance < 1:
        raise ApiError(INVALID_REQUEST, "guidance_scale: must be 1 or more for this engine", param="guidance_scale")
    size = asked.size or palette.size
    room = tuple(-(-side // STEP) * STEP for side in size)
    drawing = Drawing(
        model=palette.identifier,
        prompt=asked.prompt,
        negative_prompt=asked.negative_prompt or "",
        width=room[0],
        height=room[1],
        seed=0,
        steps=asked.steps or palette.steps,
        cfg_scale=guidance,
        scheduler=palette.scheduler,
        strength=asked.strength or (1.0 if asked.mask is not None else palette.strength),
    )
    sent: list[str] = []
    try:
        drawing = await _sent(invoke, asked, drawing, size, sent)
        yield Commission(asked, drawing, size, keep)
    finally:
        if sent:
            await bounded(_dropped(invoke, sent))


async def whole_answer(invoke: Invoke, work: Commission, call: Call) -> dict[str, Any]:
    """All pictures, made one after another. Raises ApiError."""
    return await picture_answers.whole_answer(work.asked, partial(_painted, invoke, work, call))


def events(invoke: Invoke, work: Commission, call: Call) -> AsyncGenerator[Event, None]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises ApiError."""
    return picture_answers.events(work.asked, partial(_painted, invoke, work, call))


async def _painted(invoke: Invoke, work: Commission, call: Call, place: int) -> Shown:
    """Previews at even parts of the way, as many as are wanted, then the picture of the seed at `place`."""
    asked, count = work.asked, len(work.asked.seeds)
    which = f"picture {place + 1} of {count}: " if count > 1 else ""
    drawing = replace(work.drawing, seed=asked.seeds[place])
    marks = preview_marks(asked.previews)
    async with aclosing(run(invoke, drawing, keep=work.keep)) as told:
        async for one in told:
            if isinstance(one, Step):
                call.report((place + one.fraction) / count, f"{which}{one.message}")
            elif isinstance(one, bytes):
                yield await asyncio.to_thread(_finished, one, work)
            elif marks and one.fraction >= marks[0]:
                marks = [mark for mark in marks if mark > one.fraction]
                yield await asyncio.to_thread(_unfinished, one, work)


def _finished(body: bytes, work: Commission) -> Made:
    """The picture in the asked size, in which nothing has changed where the mask forbids it."""
    return Made(work.asked.kept(cut(from_engine(body), work.size)))


def _unfinished(preview: Preview, work: Commission) -> Unfinished:
    return Unfinished(work.asked.kept(fitted(from_engine(preview.body), work.size)))


def mask_png(change: Image.Image) -> bytes:
    """A mask for the engine, which is black where a picture may change; `change` is white there."""
    return png(ImageOps.invert(change))


async def _sent(
    invoke: Invoke, asked: PicturesAsked, drawing: Drawing, size: tuple[int, int], sent: list[str]
) -> Drawing:
    """The drawing with the request's pictures, whose names at the engine go into `sent` as they come."""
    room = drawing.width, drawing.height
    if asked.images:
        picture = bordered(fitted(asked.images[0], size), room)
        sent.append(await invoke.upload(await asyncio.to_thread(png, picture), "user"))
        drawing = replace(drawing, image=sent[-1])
    if asked.mask is not None:
        mask = bordered(fitted(asked.mask, size), room)
        sent.append(await invoke.upload(await asyncio.to_thread(mask_png, mask), "mask"))
        drawing = replace(drawing, mask=sent[-1])
    return drawing


async def _dropped(invoke: Invoke, names: list[str]) -> None:
    for name in names:
        await invoke.drop(name)
