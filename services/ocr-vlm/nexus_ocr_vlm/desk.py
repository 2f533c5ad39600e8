"""Documents opened and pages drawn in one thread of their own: PDFium is not for several at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from nexus.contract.wire.ocr import OcrDimensions
from nexus.sdk.media.documents import Limits, opened
from nexus.sdk.media.ocr_request import Source
from nexus.sdk.media.page_picture import Pages
from nexus_ocr_vlm.picture import png_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One page as a PNG for the engine, and what its full picture measures."""

    png: bytes
    dimensions: OcrDimensions


class Desk:
    """Where documents lie open. What is cancelled meanwhile is still finished, before anything else is begun."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pages")

    @asynccontextmanager
    async def opened(self, source: Source) -> AsyncIterator["OpenDocument"]:
        """The document. Raises ApiError (400) that names where it came from."""
        stack = ExitStack()
        try:
            pages = await self.run(lambda: stack.enter_context(opened(source.body, source.param, self._limits)))
            yield OpenDocument(self, pages)
        finally:
            self._thread.submit(stack.close)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, done in the one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=False)


class OpenDocument:
    """A document that lies open; `count` are its pages."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages
        self.count = pages.count

    async def drawn(self, index: int, longest_side: int) -> Drawn:
        """A page, at most so many pixels along its longer side. Raises ApiError (400) where it cannot be drawn."""

        def draw() -> Drawn:
            picture = self._pages.picture(index)
            size = OcrDimensions(dpi=picture.dpi, height=picture.height, width=picture.width)
            return Drawn(png_of(picture, longest_side), size)

        return await self._desk.run(draw)
