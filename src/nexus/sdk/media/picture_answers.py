"""OpenAI's answers for images: the object of all pictures, or events, one as soon as there is something to see."""

import asyncio
import base64
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from nexus.sdk.engine import Event
from nexus.sdk.media.picture_files import written
from nexus.sdk.media.picture_requests import PicturesAsked

PATCH: Final = 32
_QUALITIES: Final = {"hd": "high", "standard": "medium", "auto": "medium"}


@dataclass(frozen=True, slots=True)
class Made:
    """A finished picture; `description` says what was drawn where that is not the prompt."""

    image: Image.Image
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A picture on its way."""

    image: Image.Image


Shown = AsyncGenerator[Made | Unfinished, None]


async def whole_answer(asked: PicturesAsked, paint: Callable[[int], Shown]) -> dict[str, Any]:
    """All pictures, made one after another: `paint` makes that of the seed at a place. Raises what it raises."""
    made: list[Made] = []
    for place in range(len(asked.seeds)):
        async with aclosing(paint(place)) as shown:
            made += [one async for one in shown if isinstance(one, Made)]
    return await asyncio.to_thread(answer, asked, made, _words(asked))


async def events(asked: PicturesAsked, paint: Callable[[int], Shown]) -> AsyncGenerator[Event, None]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises what `paint` raises."""
    for place in range(len(asked.seeds)):
        index = 0
        async with aclosing(paint(place)) as shown:
            async for one in shown:
                if isinstance(one, Unfinished):
                    yield await asyncio.to_thread(partial_event, asked, one, index)
                    index += 1
                else:
                    yield await asyncio.to_thread(completed_event, asked, one, _words(asked))


def answer(asked: PicturesAsked, made: Iterable[Made], text_tokens: int) -> dict[str, Any]:
    """The object of all pictures, of which there is one or more, of one size. Each is written as it comes.

    `text_tokens` are those of the prompt.
    """
    data: list[dict[str, str]] = []
    size = (0, 0)
    for one in made:
        size = one.image.size
        data.append({"b64_json": _encoded(one.image, asked), **_revised(one)})
    return {
        "created": int(time.time()),
        "data": data,
        "background": "opaque",
        "output_format": asked.file_format,
        "size": _size(size),
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "usage": usage(asked, size, len(data), text_tokens),
    }


def partial_event(asked: PicturesAsked, preview: Unfinished, index: int) -> Event:
    """The event of a preview, the `index`-th (from 0) of its picture."""
    return _event(asked, "partial_image", preview.image, {"partial_image_index": index})


def completed_event(asked: PicturesAsked, made: Made, text_tokens: int) -> Event:
    """The event of a finished picture, which is charged alone."""
    spent = usage(asked, made.image.size, 1, text_tokens)
    return _event(asked, "completed", made.image, {"usage": spent, **_revised(made)})


def usage(asked: PicturesAsked, size: tuple[int, int], count: int, text_tokens: int) -> dict[str, Any]:
    """Tokens in and out; a picture, given or made, counts one for each patch of 32 by 32 pixels of the `size`."""
    patches = -(-size[0] // PATCH) * -(-size[1] // PATCH)
    details = {"text_tokens": text_tokens, "image_tokens": asked.given * patches}
    spent = sum(details.values())
    made = count * patches
    return {
        "input_tokens": spent,
        "output_tokens": made,
        "total_tokens": spent + made,
        "input_tokens_details": details,
    }


def preview_marks(previews: int) -> list[float]:
    """The fractions of the work at which so many previews are shown."""
    return [(number + 1) / (previews + 1) for number in range(previews)]


def _words(asked: PicturesAsked) -> int:
    """What stands for tokens where the engine counts none."""
    return len(asked.prompt.split())


def _event(asked: PicturesAsked, kind: str, picture: Image.Image, more: dict[str, Any]) -> Event:
    name = f"image_generation.{kind}" if asked.kind == "generation" else f"image_edit.{kind}"
    event = {
        "type": name,
        "b64_json": _encoded(picture, asked),
        "created_at": int(time.time()),
        "size": _size(picture.size),
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "background": "opaque",
        "output_format": asked.file_format,
    }
    return Event(name, {**event, **more})


def _revised(made: Made) -> dict[str, str]:
    return {} if made.description is None else {"revised_prompt": made.description}


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _encoded(picture: Image.Image, asked: PicturesAsked) -> str:
    return base64.b64encode(written(picture, asked.file_format, asked.compression)).decode("ascii")
