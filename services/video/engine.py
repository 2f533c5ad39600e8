"""The video service's engine: orders go to the model's filmmaker, its frames into the files of the answer."""

from typing import Any

from nexus_video.film import Filmmaker
from nexus_video.filmmakers import make
from nexus_video.order import read_order
from nexus_video.production import produced

from nexus.contract.wire.videos import VideosRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Form, Model
from nexus.sdk.loaded import Loaded


class VideoEngine(Engine):
    """Each model of the manifest is one filmmaker."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._filmmakers = Loaded[Filmmaker]()

    def load(self, model: Model) -> None:
        """Make the model's filmmaker. Raises RuntimeError or ValidationError when it cannot be made."""
        threads = int(self.config["NEXUS_VIDEO_THREADS"]) or spare_cores()
        self._filmmakers[model.id] = make(model, threads)

    def unload(self, model: Model) -> None:
        """Let the filmmaker go and give back its memory."""
        filmmaker = self._filmmakers.pop(model.id, None)
        if filmmaker is not None:
            filmmaker.close()

    def videos(self, request: Form | VideosRequest, call: Call) -> dict[str, Any]:
        """The finished video with its thumbnail and spritesheet, in base64."""
        filmmaker = self._filmmakers.of(call)
        order = read_order(request)
        return produced(filmmaker.film(order, call), order, call.model.id, call)
