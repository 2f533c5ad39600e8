"""What is answered: OpenAI's object of all pictures, or its events, one as soon as there is something to see."""

import base64
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from PIL import Image

from nexus.contract import sse
from nexus.sdk.engine import Call
from nexus_images.asked import Asked
from nexus_images.painter import Easel, Order, Painter, Painting
from nexus_images.pictures import written

PATCH: Final = 32
_QUALITIES: Final = {"hd": "high", "standard": "medium", "auto": "medium"}


def whole_answer(painter: Painter, asked: Asked, call: Call) -> dict[str, Any]:
    """All pictures, painted one after another. Raises ApiError."""
    count = len(asked.orders)
    data = []
    for place, order in enumerate(asked.orders):
        painting = _painted(painter, order, Easel(call, place, count))
        data.append(_image(painting, asked))
    first = asked.orders[0]
    return {
        "created": int(time.time()),
        "data": data,
        "background": "opaque",
        "output_format": asked.file_format,
        "size": f"{first.width}x{first.height}",
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "usage": usage(painter, asked, count),
    }


def events(painter: Painter, asked: Asked, call: Call) -> Iterator[bytes]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises ApiError."""
    count = len(asked.orders)
    for place, order in enumerate(asked.orders):
        index = 0
        for shown in _shown(painter, order, call, place, count):
            if isinstance(shown, Painting):
                spent = {"usage": usage(painter, asked, 1)}
                yield _event(asked, order, "completed", shown.picture, {**spent, **_revised(shown)})
            else:
                yield _event(asked, order, "partial_image", shown, {"partial_image_index": index})
                index += 1


def usage(painter: Painter, asked: Asked, count: int) -> dict[str, Any]:
    """Tokens in and out; a picture counts one for each patch of 32 by 32 pixels."""
    first = asked.orders[0]
    patches = -(-first.width // PATCH) * -(-first.height // PATCH)
    details = {"text_tokens": painter.tokens(asked.prompt), "image_tokens": asked.given * patches}
    spent = sum(details.values())
    made = count * patches
    return {
        "input_tokens": spent,
        "output_tokens": made,
        "total_tokens": spent + made,
        "input_tokens_details": details,
    }


def _shown(painter: Painter, order: Order, call: Call, place: int, count: int) -> Iterator[Image.Image | Painting]:
    """The previews as they come, then the painting, which is made in a thread of its own meanwhile."""
    seen: queue.SimpleQueue[Image.Image | Painting | BaseException] = queue.SimpleQueue()

    def paint() -> None:
        try:
            seen.put(_painted(painter, order, Easel(call, place, count, seen.put)))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, whatever it is
            seen.put(error)

    thread = threading.Thread(target=paint, name="painter")
    thread.start()
    try:
        while not isinstance(shown := seen.get(), Painting):
            if isinstance(shown, BaseException):
                raise shown
            yield shown
        yield shown
    finally:
        thread.join()


def _painted(painter: Painter, order: Order, easel: Easel) -> Painting:
    """The painting, in which nothing has changed where the mask forbids it."""
    painting = painter.paint(order, easel)
    if order.mask is None or order.base is None:
        return painting
    return Painting(Image.composite(painting.picture, order.base, order.mask), painting.description)


def _image(painting: Painting, asked: Asked) -> dict[str, Any]:
    return {"b64_json": _encoded(painting.picture, asked), **_revised(painting)}


def _revised(painting: Painting) -> dict[str, str]:
    return {} if painting.description is None else {"revised_prompt": painting.description}


def _event(asked: Asked, order: Order, kind: str, picture: Image.Image, more: dict[str, Any]) -> bytes:
    name = f"{asked.event}.{kind}"
    event = {
        "type": name,
        "b64_json": _encoded(picture, asked),
        "created_at": int(time.time()),
        "size": f"{order.width}x{order.height}",
        "quality": _QUALITIES.get(asked.quality, asked.quality),
        "background": "opaque",
        "output_format": asked.file_format,
    }
    return sse.encode(msgspec.json.encode({**event, **more}), name)


def _encoded(picture: Image.Image, asked: Asked) -> str:
    return base64.b64encode(written(picture, asked.file_format, asked.compression)).decode("ascii")
