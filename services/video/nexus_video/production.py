"""From a film to the files of an answer: every frame is taken once, encoded, and let go."""

import base64
import time
from typing import Any

from nexus.sdk.engine import Call
from nexus_video.coding import Mp4Writer
from nexus_video.film import Film, Frame
from nexus_video.order import Order
from nexus_video.pictures import Spritesheet, thumbnail


def produced(film: Film, order: Order, model: str, call: Call) -> dict[str, Any]:
    """The answer to an order: the video, a thumbnail from a third of its length, and a sheet of evenly chosen frames.

    Says how far it is with each frame. Raises ApiError, also once the call is cancelled.
    """
    sheet = Spritesheet(order.count, order.size)
    poster: Frame | None = None
    with Mp4Writer(order.size, order.fps) as writer:
        for index, frame in enumerate(film.frames):
            call.go_on()
            writer.add(frame)
            sheet.add(index, frame)
            if index == order.count // 3:
                poster = frame.copy()
            part = (index + 1) / order.count
            call.report(film.done + (1 - film.done) * part, f"frame {index + 1} of {order.count}")
        video = writer.file()
    assert poster is not None  # noqa: S101 - a film has exactly the order's frames
    width, height = order.size
    return {
        "created": int(time.time()),
        "model": model,
        "seconds": f"{order.seconds:g}",
        "size": f"{width}x{height}",
        "data": [
            _variant("video", "video/mp4", video),
            _variant("thumbnail", "image/webp", thumbnail(poster)),
            _variant("spritesheet", "image/jpeg", sheet.file()),
        ],
    }


def _variant(name: str, media_type: str, body: bytes) -> dict[str, str]:
    return {"variant": name, "media_type": media_type, "b64_json": base64.b64encode(body).decode("ascii")}
