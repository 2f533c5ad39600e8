"""What is answered: all pictures at once, or events, one as soon as there is something to see."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

from PIL import Image

from nexus.sdk.engine import Call, Event
from nexus.sdk.media.picture_answers import Made, Unfinished, answer, completed_event, partial_event
from nexus.sdk.media.picture_requests import PicturesAsked
from nexus_images.orders import orders
from nexus_images.painter import Easel, Order, Painter


def whole_answer(painter: Painter, asked: PicturesAsked, call: Call) -> dict[str, Any]:
    """All pictures, painted one after another. Raises ApiError."""
    ordered = orders(asked, painter.native)
    made = (_painted(painter, order, Easel(call, place, len(ordered))) for place, order in enumerate(ordered))
    return answer(asked, made, painter.tokens(asked.prompt))


def events(painter: Painter, asked: PicturesAsked, call: Call) -> Iterator[Event]:
    """The events of a stream: of each picture its previews, then the picture itself. Raises ApiError."""
    ordered = orders(asked, painter.native)
    for place, order in enumerate(ordered):
        index = 0
        for shown in _shown(painter, order, call, place, len(ordered)):
            if isinstance(shown, Made):
                yield completed_event(asked, shown, painter.tokens(asked.prompt))
            else:
                yield partial_event(asked, shown, index)
                index += 1


def _shown(painter: Painter, order: Order, call: Call, place: int, count: int) -> Iterator[Unfinished | Made]:
    """The previews as they come, then the painting, which is made in a thread of its own meanwhile."""
    seen: queue.SimpleQueue[Unfinished | Made | BaseException] = queue.SimpleQueue()

    def show(preview: Image.Image) -> None:
        seen.put(Unfinished(preview))

    def paint() -> None:
        try:
            seen.put(_painted(painter, order, Easel(call, place, count, show)))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, whatever it is
            seen.put(error)

    thread = threading.Thread(target=paint, name="painter")
    thread.start()
    try:
        while not isinstance(shown := seen.get(), Made):
            if isinstance(shown, BaseException):
                raise shown
            yield shown
        yield shown
    finally:
        thread.join()


def _painted(painter: Painter, order: Order, easel: Easel) -> Made:
    """The painting, in which nothing has changed where the mask forbids it."""
    painting = painter.paint(order, easel)
    if order.mask is None or order.base is None:
        return Made(painting.picture, painting.description)
    return Made(Image.composite(painting.picture, order.base, order.mask), painting.description)
