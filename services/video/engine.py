"""The video service's engine: orders go to the model's filmmaker, its frames into the files of the answer."""

import os
from typing import Any

from nexus_video.film import Filmmaker
from nexus_video.filmmakers import make
from nexus_video.order import read_order
from nexus_video.production import produced

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.contract.wire.videos import VideosRequest
from nexus.sdk.engine import Call, Engine, Form, Model


class VideoEngine(Engine):
    """Each model of the manifest is one filmmaker."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._filmmakers: dict[str, Filmmaker] = {}

    def load(self, model: Model) -> None:
        """Make the model's filmmaker. Raises RuntimeError or ValidationError when it cannot be made."""
        threads = int(self.config["NEXUS_VIDEO_THREADS"]) or _spare_cores()
        self._filmmakers[model.id] = make(model, threads)

    def unload(self, model: Model) -> None:
        """Let the filmmaker go and give back its memory."""
        filmmaker = self._filmmakers.pop(model.id, None)
        if filmmaker is not None:
            filmmaker.close()

    def videos(self, request: Form | VideosRequest, call: Call) -> dict[str, Any]:
        """The finished video with its thumbnail and spritesheet, in base64."""
        filmmaker = self._filmmakers.get(call.model.id)
        if filmmaker is None:
            raise ApiError(NO_READY_SERVICE, f"the model {call.model.id} is not loaded", retry_after=1)
        order = read_order(request)
        return produced(filmmaker.film(order, call), order, call.model.id, call)


def _spare_cores() -> int:
    """All cores this process may use but one: the last one is the gateway's and everybody's."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable - 1)
