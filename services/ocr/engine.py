"""The OCR service's engine: images and PDFs in, Markdown out, by RapidOCR's PP-OCR networks."""

from collections.abc import Mapping
from typing import Any, Final

from nexus_ocr.answer import page_answer
from nexus_ocr.lines import Line
from nexus_ocr.reader import Reader

from nexus.contract.wire.ocr import OcrRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Form, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.chosen_pages import chosen_pages
from nexus.sdk.media.documents import Limits, opened
from nexus.sdk.media.ocr_request import understood
from nexus.sdk.media.page_picture import Picture

_MOST_THREADS: Final = 4


class OcrEngine(Engine):
    """Each model of the manifest is a folder with two networks: where text is, and what it says."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._readers = Loaded[Reader]()
        self._limits = Limits(
            dpi=int(config["NEXUS_OCR_DPI"]), most_pixels=int(config["NEXUS_OCR_MAX_MEGAPIXELS"]) * 1_000_000
        )

    def load(self, model: Model) -> None:
        """Read the networks into memory. Raises RuntimeError, FileNotFoundError or ValidationError when it cannot."""
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no folder")
        threads = int(self.config["NEXUS_OCR_THREADS"]) or spare_cores(_MOST_THREADS)
        self._readers[model.id] = Reader(model.path, model.options, threads)

    def unload(self, model: Model) -> None:
        """Let the networks go; a call that still runs keeps them until it ends."""
        self._readers.pop(model.id, None)

    def ocr(self, request: Form | OcrRequest, call: Call) -> dict[str, Any]:
        """The text of the document's wanted pages."""
        reader = self._readers.of(call)
        wanted, source = understood(request)
        answers = []
        with opened(source.body, source.param, self._limits) as document:
            pages = chosen_pages(wanted.pages, document.count, int(self.config["NEXUS_OCR_MAX_PAGES"]))
            for done, index in enumerate(pages):
                watch = _Watch(call, done, len(pages))
                watch.passed(0)
                picture = document.picture(index)
                lines = _lines(reader, picture, watch)
                answers.append(page_answer(index, picture, lines, wanted).model_dump(exclude_none=True))
        usage = {"pages_processed": len(answers), "doc_size_bytes": len(source.body)}
        return {"pages": answers, "model": call.model.id, "usage_info": usage, "document_annotation": None}


class _Watch:
    """Progress and cancellation while one page of several is read."""

    def __init__(self, call: Call, done: int, pages: int) -> None:
        self._call = call
        self._done = done
        self._pages = pages

    def passed(self, part: float) -> None:
        """So much of the page is done, from 0 to 1. Raises ApiError once nobody waits for the rest."""
        self._call.go_on()
        self._call.report((self._done + part) / self._pages, f"page {self._done + 1} of {self._pages}")


def _lines(reader: Reader, picture: Picture, watch: _Watch) -> list[Line]:
    found = reader.find(picture.pixels)
    lines = []
    for position in range(len(found.boxes)):
        watch.passed(position / len(found.boxes))
        line = reader.read(found, position)
        if line is not None:
            lines.append(line)
    return lines
