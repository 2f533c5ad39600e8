"""The service's engine: documents drawn page by page, each read by a vision-language model or by docling-serve."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nexus_ocr_vlm.chat import ChatReader
from nexus_ocr_vlm.desk import Desk, OpenDocument
from nexus_ocr_vlm.docling import DoclingReader
from nexus_ocr_vlm.reader import PageReader
from nexus_ocr_vlm.wishes import refuse_what_no_engine_gives

from nexus.contract.errors import ApiError
from nexus.contract.wire.ocr import OcrPage, OcrRequest
from nexus.sdk.engine import Call, Engine, Form, Found, Model
from nexus.sdk.media.chosen_pages import chosen_pages
from nexus.sdk.media.documents import Limits
from nexus.sdk.media.ocr_request import understood
from nexus.sdk.upstream import Upstream

_MEGA: Final = 1_000_000


class OcrVlmEngine(Engine):
    """One engine behind it; several pages of a document are read at once."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        most_pixels = int(config["NEXUS_OCR_VLM_MAX_MEGAPIXELS"]) * _MEGA
        self._desk = Desk(Limits(dpi=int(config["NEXUS_OCR_VLM_DPI"]), most_pixels=most_pixels))
        self._reader = _reader(config)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._reader.close()
        self._desk.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """The models that the engine serves."""
        return await self._reader.discover(wanted)

    async def ocr(self, request: Form | OcrRequest, call: Call) -> dict[str, Any]:
        """The text of the document's wanted pages."""
        wanted, source = understood(request)
        refuse_what_no_engine_gives(wanted)
        async with self._desk.opened(source) as document:
            indices = chosen_pages(wanted.pages, document.count, int(self.config["NEXUS_OCR_VLM_MAX_PAGES"]))
            pages = await self._pages(document, indices, call)
        return {
            "pages": [page.model_dump(exclude_none=True) for page in pages],
            "model": call.model.id,
            "usage_info": {"pages_processed": len(pages), "doc_size_bytes": len(source.body)},
            "document_annotation": None,
        }

    async def _pages(self, document: OpenDocument, indices: Sequence[int], call: Call) -> list[OcrPage]:
        """The pages in their order. The first that fails ends the others, and is what is raised."""
        gate = asyncio.Semaphore(int(self.config["NEXUS_OCR_VLM_PARALLEL"]))
        done = 0

        async def one(index: int) -> OcrPage:
            nonlocal done
            async with gate:  # a page is drawn when it is to be read, not all of them before
                page = await self._page(document, index, call.model)
            done += 1
            call.report(done / len(indices), f"{done} of {len(indices)} pages")
            return page

        call.report(0, f"0 of {len(indices)} pages")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(index)) for index in indices]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [task.result() for task in tasks]

    async def _page(self, document: OpenDocument, index: int, model: Model) -> OcrPage:
        drawn = await document.drawn(index, self._reader.longest_side(model))
        try:
            text = await self._reader.read(drawn.png, model)
        except ApiError as error:
            message = f"page {index}: {error.message}"
            raise ApiError(error.kind, message, code=error.code, retry_after=error.retry_after) from error
        return OcrPage(index=index, markdown=text, dimensions=drawn.dimensions)


def _reader(config: Mapping[str, Any]) -> PageReader:
    key = config["NEXUS_OCR_VLM_API_KEY"]
    seconds = float(config["NEXUS_OCR_VLM_PAGE_SECONDS"])
    url = config["NEXUS_OCR_VLM_URL"].rstrip("/")
    if config["NEXUS_OCR_VLM_ENGINE"] == "docling":
        return DoclingReader(Upstream(url, headers={"x-api-key": key} if key else {}, first_byte=60), seconds)
    url = url.removesuffix("/v1")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return ChatReader(Upstream(url, headers=headers, first_byte=seconds, idle=seconds))
