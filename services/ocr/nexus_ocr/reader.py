"""Lines of text on a picture, by RapidOCR: where they are, then what each says, so that work can stop in between.

The networks are read from the paths given here; RapidOCR fetches those that it is given no path for, and so never does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rapidocr import RapidOCR
from rapidocr.main import RapidOCRError
from rapidocr.utils.process_img import map_boxes_to_original

from nexus.sdk.media.page_picture import Pixels
from nexus_ocr.lines import Box, Line

_LINE_SHAPE: Final = (48, 320, 3)
_PAGE_SHAPE: Final = (64, 64, 3)
_SURE: Final = 0.85  # text that is the right way up is read with more than this, upside down with less


class Options(BaseModel):
    """A manifest entry's `[options]`: the networks' files in the model's folder, and how a page is looked at.

    Text is looked for on a picture whose longer side is at most `detection_side` pixels, and read from one of at most
    `reading_side`. A line that is less sure than `least_confidence` is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    detection: Annotated[str, Field(min_length=1)]
    recognition: Annotated[str, Field(min_length=1)]
    detection_side: Annotated[int, Field(ge=320, le=4096)] = 1280
    reading_side: Annotated[int, Field(ge=320, le=10_000)] = 4000
    least_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """The lines that a page has: the picture of each, and where it stands."""

    pictures: tuple[Pixels, ...] = ()
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    text: str
    confidence: float
    scores: tuple[float, ...]


class Reader:
    """The two networks, loaded. One thread at a time. Raises FileNotFoundError, ValidationError for bad options."""

    def __init__(self, folder: Path, options: Mapping[str, Any], threads: int) -> None:
        self._options = Options.model_validate(dict(options))
        self._engine = RapidOCR(params=_parameters(folder, self._options, threads))
        cv2.setNumThreads(threads)
        self._warm_up()

    def find(self, pixels: Pixels) -> Found:
        """Where text is on a page. Takes about half a second on one core."""
        picture, record = self._engine.preprocess_img(pixels)
        try:
            pictures, found = self._engine.detect_and_crop(picture, record)
        except RapidOCRError:  # its way to say that there is no text
            return Found()
        height, width = pixels.shape[:2]
        corners = map_boxes_to_original(found.boxes, record, height, width)
        return Found(tuple(pictures), tuple(_box(four) for four in corners))

    def read(self, found: Found, index: int) -> Line | None:
        """What one line says; None where it is not sure enough, or nothing. Takes some 50 milliseconds on one core.

        A line that makes little sense is read upside down too, and the better reading taken. (RapidOCR's own network
        for this takes long lines for upside down when they are not.)
        """
        picture = found.pictures[index]
        best = self._recognised(picture)
        if best.confidence < _SURE:
            turned = self._recognised(np.ascontiguousarray(picture[::-1, ::-1]))
            best = max(best, turned, key=lambda reading: reading.confidence)
        text = best.text.strip()
        if not text or best.confidence < self._options.least_confidence:
            return None
        start = len(best.text) - len(best.text.lstrip())
        return Line(text, found.boxes[index], best.scores[start : start + len(text)])

    def _recognised(self, picture: Pixels) -> _Reading:
        result = self._engine.recognize_txt([picture])
        scores = tuple(float(score) for score in result.word_results[0].confs)
        return _Reading(result.txts[0], float(result.scores[0]), scores)

    def _warm_up(self) -> None:
        """Use both networks once: RapidOCR loads them when they are first used."""
        self.find(np.full(_PAGE_SHAPE, 255, np.uint8))
        self._recognised(np.full(_LINE_SHAPE, 255, np.uint8))


def _parameters(folder: Path, options: Options, threads: int) -> dict[str, Any]:
    paths = {"Det": options.detection, "Rec": options.recognition}
    for name in paths.values():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no network at {folder / name}")
    return {
        **{f"{part}.model_path": str(folder / name) for part, name in paths.items()},
        "Global.log_level": "error",
        "Global.use_cls": False,
        "Global.max_side_len": options.reading_side,
        "Global.return_word_box": True,  # the only way to the characters' scores
        "Det.limit_type": "max",
        "Det.limit_side_len": options.detection_side,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }


def _box(corners: Any) -> Box:
    across, down = corners[:, 0], corners[:, 1]
    return Box(float(across.min()), float(down.min()), float(across.max()), float(down.max()))
