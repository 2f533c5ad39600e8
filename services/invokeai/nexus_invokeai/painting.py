"""OpenAI's answers for pictures: each seed is one item of the engine's queue, its previews the partial images."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from PIL import Image

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.engine import Call, Event
from nexus_invokeai import pictures
from nexus_invokeai.asked import Asked
from nexus_invokeai.graphs import STEP, Drawing
from nexus_invokeai.invoke import Invoke
from nexus_invokeai.offers import Palette
from nexus_invokeai.progression import Preview, Step
from nexus_invokeai.run import bounded, run

PATCH: Final = 32
_QUALITIES: Final = {"hd": "high", "standard": "medium", "auto": "medium"}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A picture that is not done."""

    image: Image.Image


Pictures = AsyncGenerator[Image.Image | Unfinished, None]


@dataclass(frozen=True, slots=True)
class Commission:
    """A request with what is to be drawn for it, but for the seeds; `keep`: its pictures stay at the engine, too."""

    asked: Asked
    drawing: Drawing
    size: tuple[int, int]
    keep: bool


@asynccontextmanager
async def commissioned(
    invoke: Invoke, palette: Palette, asked: Asked, *, keep: bool
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
    made: list[Any] = []
    for place in range(len(work.asked.seeds)):
        async with aclosing(_painted(invoke, work, place, call)) as shown:
            made += [picture async for picture in shown]
    asked = work.asked
    return {
        "created": int(time.time()),
        "data": [{"b64_json": await asyncio.to_thread(_written, picture, asked)} for picture in made],
        "background": "opaque",
        "output_format": asked.file_format,
        "size": "x".join(str(side) for side in work.size),
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "usage": _usage(work, len(made)),
    }


async def events(invoke: Invoke, work: Commission, call: Call) -> AsyncGenerator[Event, None]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises ApiError."""
    for place in range(len(work.asked.seeds)):
        partial = 0
        async with aclosing(_painted(invoke, work, place, call)) as shown:
            async for picture in shown:
                if isinstance(picture, Unfinished):
                    more: dict[str, Any] = {"partial_image_index": partial}
                    yield await _event(work, "partial_image", picture.image, more)
                    partial += 1
                else:
                    yield await _event(work, "completed", picture, {"usage": _usage(work, 1)})


async def _painted(invoke: Invoke, work: Commission, place: int, call: Call) -> Pictures:
    """Previews at even parts of the way, as many as are wanted, then the picture of the seed at `place`."""
    asked, count = work.asked, len(work.asked.seeds)
    which = f"picture {place + 1} of {count}: " if count > 1 else ""
    drawing = replace(work.drawing, seed=asked.seeds[place])
    marks = [(number + 1) / (asked.previews + 1) for number in range(asked.previews)]
    async with aclosing(run(invoke, drawing, keep=work.keep)) as told:
        async for one in told:
            if isinstance(one, Step):
                call.report((place + one.fraction) / count, f"{which}{one.message}")
            elif isinstance(one, bytes):
                yield await asyncio.to_thread(_finished, one, work)
            elif marks and one.fraction >= marks[0]:
                marks = [mark for mark in marks if mark > one.fraction]
                yield await asyncio.to_thread(_unfinished, one, work)


def _finished(body: bytes, work: Commission) -> Image.Image:
    """The picture in the asked size, in which nothing has changed where the mask forbids it."""
    return _kept(pictures.cut(pictures.from_engine(body), work.size), work.asked, work.size)


def _unfinished(preview: Preview, work: Commission) -> Unfinished:
    return Unfinished(_kept(pictures.fitted(pictures.from_engine(preview.body), work.size), work.asked, work.size))


def _kept(picture: Image.Image, asked: Asked, size: tuple[int, int]) -> Image.Image:
    """The picture with the given one where the mask forbids any change."""
    if asked.mask is None:
        return picture
    return Image.composite(picture, pictures.fitted(asked.images[0], size), pictures.fitted(asked.mask, size))


async def _sent(invoke: Invoke, asked: Asked, drawing: Drawing, size: tuple[int, int], sent: list[str]) -> Drawing:
    """The drawing with the request's pictures, whose names at the engine go into `sent` as they come."""
    room = drawing.width, drawing.height
    if asked.images:
        picture = pictures.bordered(pictures.fitted(asked.images[0], size), room)
        sent.append(await invoke.upload(await asyncio.to_thread(pictures.png, picture), "user"))
        drawing = replace(drawing, image=sent[-1])
    if asked.mask is not None:
        mask = pictures.bordered(pictures.fitted(asked.mask, size), room)
        sent.append(await invoke.upload(await asyncio.to_thread(pictures.inverted_png, mask), "mask"))
        drawing = replace(drawing, mask=sent[-1])
    return drawing


async def _dropped(invoke: Invoke, names: list[str]) -> None:
    for name in names:
        await invoke.drop(name)


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


def _usage(work: Commission, count: int) -> dict[str, Any]:
    """Tokens in and out: words, and of a picture one for each patch of 32 by 32 pixels. The engine counts none."""
    width, height = work.size
    patches = -(-width // PATCH) * -(-height // PATCH)
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
