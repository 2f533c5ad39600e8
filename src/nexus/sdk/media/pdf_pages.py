"""PDFs as documents, by PDFium: each page is drawn when its turn comes. Not for several threads at once.

A service that uses it lists `pypdfium2` and `numpy` among its requirements.
"""

from typing import Final

import numpy as np
import pypdfium2  # type: ignore[import-not-found, unused-ignore]
from pypdfium2.raw import (  # type: ignore[import-not-found, unused-ignore]
    FPDF_ERR_PASSWORD,
    FPDF_ERR_SECURITY,
)

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.media.page_picture import Picture

_POINTS_PER_INCH: Final = 72
_LONGEST_SIDE: Final = 5000  # pixels; a poster is drawn at fewer dots per inch than a letter


class PdfPages:
    """A PDF in memory. Raises ApiError (400, `param`) where it cannot be opened."""

    def __init__(self, body: bytes, param: str, dpi: int) -> None:
        self._param = param
        self._dpi = dpi
        try:
            self._document = pypdfium2.PdfDocument(body)
        except pypdfium2.PdfiumError as error:
            raise self._refusal(_reason(error)) from error
        self.count = len(self._document)
        if self.count < 1:
            self._document.close()
            raise self._refusal("the PDF has no pages")
        if self._document.get_formtype():
            self._document.init_forms()

    def picture(self, index: int) -> Picture:
        """The page as it would be printed, what is filled into its forms included."""
        try:
            page = self._document[index]
        except pypdfium2.PdfiumError as error:
            raise self._refusal(f"page {index} of the PDF cannot be read") from error
        try:
            width, height = page.get_size()
            scale = min(self._dpi / _POINTS_PER_INCH, _LONGEST_SIDE / max(width, height, 1))
            bitmap = page.render(scale=scale)
            try:
                pixels = np.array(bitmap.to_numpy()[:, :, :3])  # a copy: the bitmap's own memory ends with it
            finally:
                bitmap.close()
        except (pypdfium2.PdfiumError, IndexError) as error:
            raise self._refusal(f"page {index} of the PDF cannot be drawn") from error
        finally:
            page.close()
        return Picture(pixels, round(scale * _POINTS_PER_INCH))

    def close(self) -> None:
        self._document.close()

    def _refusal(self, reason: str) -> ApiError:
        return ApiError(INVALID_REQUEST, f"{self._param}: {reason}", param=self._param)


def _reason(error: pypdfium2.PdfiumError) -> str:
    if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
        return "the PDF is encrypted and wants a password; send it without one"
    return "the PDF is broken or was cut off"
