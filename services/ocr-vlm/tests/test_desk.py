"""Pages drawn in a thread of their own, of the size that is wanted."""

import asyncio
import io
import threading

import pytest
from drawing import packed, page
from nexus_ocr_vlm.desk import Desk
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.sdk.media.documents import Limits
from nexus.sdk.media.ocr_request import Source

PDF = packed([page(size=(144, 288)), page("cut", size=(72, 72))], "PDF")


async def test_pages_are_drawn_and_made_smaller_never_larger() -> None:
    desk = Desk(Limits(dpi=144))
    async with desk.opened(Source(PDF, "document")) as document:
        assert document.count == 2
        first, second = await asyncio.gather(document.drawn(0, 100), document.drawn(1, 1000))
    assert (first.dimensions.width, first.dimensions.height, first.dimensions.dpi) == (288, 576, 144)
    assert Image.open(io.BytesIO(first.png)).size == (50, 100)
    assert Image.open(io.BytesIO(second.png)).size == (144, 144)
    red, green, blue = Image.open(io.BytesIO(second.png)).convert("RGB").getpixel((70, 70))
    assert red > 240 > 20 > max(green, blue)
    desk.close()


async def test_one_thread_does_it_all() -> None:
    desk = Desk(Limits())
    threads = await asyncio.gather(*(desk.run(threading.get_ident) for _ in range(8)))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
    desk.close()


async def test_what_is_no_document() -> None:
    desk = Desk(Limits())
    with pytest.raises(ApiError, match="document: the content is neither") as caught:
        async with desk.opened(Source(b"text", "document")):
            pass
    assert caught.value.param == "document"
    desk.close()
