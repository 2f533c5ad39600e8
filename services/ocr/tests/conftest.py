"""The real engine with the real networks, loaded once for all tests of this folder."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER / "tests")]

from drawing import url  # noqa: E402 - the service's folder has to be on the path

from nexus.contract.wire.ocr import OcrRequest, OcrResponse  # noqa: E402
from nexus.sdk.engine import Call, Model  # noqa: E402

CONFIG = {"NEXUS_OCR_THREADS": 1, "NEXUS_OCR_DPI": 150, "NEXUS_OCR_MAX_PAGES": 3, "NEXUS_OCR_MAX_MEGAPIXELS": 10}


@pytest.fixture(scope="session")
def model(find_model: Callable[[Path], Model]) -> Model:
    """The embedded model as its manifest entry describes it, its folder found."""
    return find_model(FOLDER / "models" / "pp-ocrv6.toml")


@pytest.fixture(scope="session")
def engine(model: Model) -> Iterator[Any]:
    from engine import OcrEngine

    engine = OcrEngine(CONFIG)
    engine.load(model)
    yield engine
    engine.unload(model)


@pytest.fixture
def ask(engine: Any, call: Call) -> Callable[..., OcrResponse]:
    """The engine asked as the SDK asks it: with a request read from JSON; what it answers holds its own shape."""

    def ask(body: bytes, media_type: str = "image/png", **fields: Any) -> OcrResponse:
        document = {"type": "document_url", "document_url": url(body, media_type)}
        request = OcrRequest.model_validate_json(json.dumps({"document": document, **fields}))
        return OcrResponse.model_validate_json(json.dumps(engine.ocr(request, call)))

    return ask
