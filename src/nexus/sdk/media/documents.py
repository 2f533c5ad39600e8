"""Opening what a request brought, by what its bytes are; media types and names are only claims.

A service that uses it lists `pillow`, `pypdfium2` and `numpy` among its requirements.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.media.image_pages import ImagePages
from nexus.sdk.media.page_picture import Pages
from nexus.sdk.media.pdf_pages import PdfPages

_PDF_MARK: Final = b"%PDF-"
_PDF_MARK_WITHIN: Final = 1024  # readers allow this much before it (PDF 1.7, appendix H)


@dataclass(frozen=True, slots=True)
class Limits:
    """How PDFs are drawn (dots an inch), and how large an image may be (pixels)."""

    dpi: int = 150
    most_pixels: int = 50_000_000


@contextmanager
def opened(body: bytes, param: str, limits: Limits) -> Iterator[Pages]:
    """The pages of a PDF or an image. Raises ApiError (400) that names `param` where it is neither."""
    if not body:
        raise ApiError(INVALID_REQUEST, f"{param}: the document is empty", param=param)
    pages: Pages
    if _PDF_MARK in body[:_PDF_MARK_WITHIN]:
        pages = PdfPages(body, param, limits.dpi)
    else:
        pages = ImagePages(body, param, limits.most_pixels)
    try:
        yield pages
    finally:
        pages.close()
