"""The images service's engine: painters behind OpenAI's three endpoints for images."""

import os
from collections.abc import Iterator
from typing import Any

from nexus_images.answers import events, whole_answer
from nexus_images.asked import Asked, asked_edit, asked_generation, asked_variation
from nexus_images.painter import Painter
from nexus_images.painters import make_painter

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.sdk.engine import Call, Engine, Form, Model

_MOST_THREADS = 4


class ImagesEngine(Engine):
    """Each model of the manifest is one painter; its entry's `engine` says of which kind."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._painters: dict[str, Painter] = {}

    def load(self, model: Model) -> None:
        """Make the model's painter. Raises RuntimeError, FileNotFoundError or ValueError when it cannot."""
        threads = int(self.config["NEXUS_IMAGES_THREADS"]) or min(_spare_cores(), _MOST_THREADS)
        self._painters[model.id] = make_painter(model, threads)

    def unload(self, model: Model) -> None:
        """Let the painter go."""
        painter = self._painters.pop(model.id, None)
        if painter is not None:
            painter.close()

    def images_generations(self, request: ImagesGenerationRequest, call: Call) -> dict[str, Any] | Iterator[bytes]:
        """Pictures of a prompt."""
        painter = self._painter(call)
        return _answer(painter, asked_generation(request, painter.native), call)

    def images_edits(self, request: Form | ImagesEditRequest, call: Call) -> dict[str, Any] | Iterator[bytes]:
        """Given pictures changed as a prompt says."""
        return _answer(self._painter(call), asked_edit(request), call)

    def images_variations(self, request: Form, call: Call) -> dict[str, Any] | Iterator[bytes]:
        """Others of a given picture's kind."""
        return _answer(self._painter(call), asked_variation(request), call)

    def _painter(self, call: Call) -> Painter:
        painter = self._painters.get(call.model.id)
        if painter is None:
            raise ApiError(NO_READY_SERVICE, f"the model {call.model.id} is not loaded", retry_after=1)
        return painter


def _answer(painter: Painter, asked: Asked, call: Call) -> dict[str, Any] | Iterator[bytes]:
    return events(painter, asked, call) if asked.stream else whole_answer(painter, asked, call)


def _spare_cores() -> int:
    """All cores this process may use but one: threads that wait for one another spin, and on a machine whose every core
    they take, whatever else runs makes them several times slower."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable - 1)
