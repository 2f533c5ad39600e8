"""The moderation service's engine: insults and profanity in texts, pornography in images, behind OpenAI's endpoint."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_moderation.answer import Thresholds, judgement
from nexus_moderation.images import ImageJudge
from nexus_moderation.options import Options
from nexus_moderation.pieces import pieces
from nexus_moderation.texts import TextJudge

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.messages import ImagePart, TextPart
from nexus.contract.wire.moderations import Moderation, ModerationRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.data_urls import read_data_url
from nexus.sdk.media.pictures import opaque, read_picture

_MOST_THREADS: Final = 2
_PIECES_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class _Loaded:
    texts: TextJudge
    images: ImageJudge | None
    thresholds: Thresholds


class ModerationEngine(Engine):
    """Each model of the manifest is a judge of texts, and maybe one of images."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._models = Loaded[_Loaded]()

    def load(self, model: Model) -> None:
        """Read the judges into memory. Raises RuntimeError, FileNotFoundError or ValidationError when it cannot."""
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no folder")
        options = Options.model_validate(dict(model.options))
        network = options.image_path(model.path)
        threads = int(self.config["NEXUS_MODERATION_THREADS"]) or spare_cores(_MOST_THREADS)
        images = ImageJudge(network, threads) if network else None
        self._models[model.id] = _Loaded(TextJudge(model.path), images, options.thresholds)

    def unload(self, model: Model) -> None:
        """Let the judges go; calls that still run keep them until they end."""
        self._models.pop(model.id, None)

    def moderations(self, request: ModerationRequest, call: Call) -> dict[str, Any]:
        """A judgement for each text, or one for all parts of a message."""
        loaded = self._models.of(call)
        results = [result.model_dump(mode="json") for result in _results(loaded, request, call)]
        return {"id": f"modr-{uuid.uuid4().hex}", "model": call.model.id, "results": results}


def _results(loaded: _Loaded, request: ModerationRequest, call: Call) -> list[Moderation]:
    if isinstance(request.input, str):
        return [judgement(score, None, loaded.thresholds) for score in _texts(loaded, {"input": request.input}, call)]
    texts = {f"input[{place}]": text for place, text in enumerate(request.input) if isinstance(text, str)}
    if texts:
        return [judgement(score, None, loaded.thresholds) for score in _texts(loaded, texts, call)]
    parts = list(enumerate(request.input))
    said = {f"input[{place}].text": part.text for place, part in parts if isinstance(part, TextPart)}
    shown = {f"input[{place}].image_url": part for place, part in parts if isinstance(part, ImagePart)}
    text = max(_texts(loaded, said, call), default=None)
    return [judgement(text, max(_images(loaded, shown, call), default=None), loaded.thresholds)]


def _texts(loaded: _Loaded, texts: Mapping[str, str], call: Call) -> list[float]:
    """The score of each text, which is that of its worst piece; the keys are the parameters that they came in."""
    for param, text in texts.items():
        if not text.strip():
            raise ApiError(INVALID_REQUEST, f"{param}: an input must not be empty", param=param)
    scores = [0.0] * len(texts)
    each = [(place, piece) for place, text in enumerate(texts.values()) for piece in pieces(text)]
    for start in range(0, len(each), _PIECES_AT_ONCE):
        call.go_on()
        batch = each[start : start + _PIECES_AT_ONCE]
        judged = loaded.texts.scores([piece for _, piece in batch])
        for (place, _), score in zip(batch, judged, strict=True):
            scores[place] = max(scores[place], score)
    return scores


def _images(loaded: _Loaded, parts: Mapping[str, ImagePart], call: Call) -> Iterator[float]:
    for param, part in parts.items():
        call.go_on()
        if loaded.images is None:
            raise ApiError(INVALID_REQUEST, f"{param}: this model judges texts, not images", param=param)
        yield loaded.images.score(opaque(read_picture(read_data_url(part.image_url.url, param).body, param)))
