"""The images service's engine: painters behind OpenAI's three endpoints for images."""

from collections.abc import Iterator
from typing import Any

from nexus_images.answers import events, whole_answer
from nexus_images.orders import LARGEST
from nexus_images.painter import Painter
from nexus_images.painters import make_painter

from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Event, Form, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.picture_requests import PicturesAsked, asked_edit, asked_generation, asked_variation

_MOST_THREADS = 4


class ImagesEngine(Engine):
    """Each model of the manifest is one painter; its entry's `engine` says of which kind."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._painters = Loaded[Painter]()

    def load(self, model: Model) -> None:
        """Make the model's painter. Raises RuntimeError, FileNotFoundError or ValueError when it cannot."""
        threads = int(self.config["NEXUS_IMAGES_THREADS"]) or spare_cores(_MOST_THREADS)
        self._painters[model.id] = make_painter(model, threads)

    def unload(self, model: Model) -> None:
        """Let the painter go."""
        painter = self._painters.pop(model.id, None)
        if painter is not None:
            painter.close()

    def images_generations(self, request: ImagesGenerationRequest, call: Call) -> dict[str, Any] | Iterator[Event]:
        """Pictures of a prompt."""
        return _answer(self._painters.of(call), asked_generation(request, LARGEST), call)

    def images_edits(self, request: Form | ImagesEditRequest, call: Call) -> dict[str, Any] | Iterator[Event]:
        """Given pictures changed as a prompt says."""
        return _answer(self._painters.of(call), asked_edit(request, LARGEST), call)

    def images_variations(self, request: Form, call: Call) -> dict[str, Any] | Iterator[Event]:
        """Others of a given picture's kind."""
        return _answer(self._painters.of(call), asked_variation(request, LARGEST), call)


def _answer(painter: Painter, asked: PicturesAsked, call: Call) -> dict[str, Any] | Iterator[Event]:
    return events(painter, asked, call) if asked.stream else whole_answer(painter, asked, call)
