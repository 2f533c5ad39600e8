"""What a request may ask of engines that give a page's Markdown and nothing beside it."""

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.ocr import OcrRequest


def refuse_what_no_engine_gives(request: OcrRequest) -> None:
    """Raises ApiError (400) that names the field."""
    for name in ("include_blocks", "confidence_scores_granularity"):
        if getattr(request, name):
            raise ApiError(
                INVALID_REQUEST, f"{name}: this engine tells neither where words stand nor how sure it is", param=name
            )
