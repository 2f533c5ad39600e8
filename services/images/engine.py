"""The images service's engine: painters behind OpenAI's three endpoints for images."""

from collections.abc import Iterator
from typing import Any

from nexus_images.answers import events, whole_answer
from nexus_images.asked import Asked, asked_edit, asked_generation, asked_variation
from nexus_images.painter import Painter
from nexus_images.painters import make_painter

from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Form, Model
from nexus.sdk.loaded import Loaded

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

    def images_generations(self, request: ImagesGenerationRequest, call: Call) -> dict[str, Any] | Iterator[bytes]:
        """Pictures of a prompt."""
        painter = self._painters.of(call)
        return _answer(painter, asked_generation(request, painter.native), call)

    def images_edits(self, request: Form | ImagesEditRequest, call: Call) -> dict[str, Any] | Iterator[bytes]:
        """Given pictures changed as a prompt says."""
        return _answer(self._painters.of(call), asked_edit(request), call)

    def images_variations(self, request: Form, call: Call) -> dict[str, Any] | Iterator[bytes]:
        """Others of a given picture's kind."""
        return _answer(self._painters.of(call), asked_variation(request), call)


def _answer(painter: Painter, asked: Asked, call: Call) -> dict[str, Any] | Iterator[bytes]:
    return events(painter, asked, call) if asked.stream else whole_answer(painter, asked, call)
