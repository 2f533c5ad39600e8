"""The real engine with the real embedded model, loaded once for all tests of this folder, and pictures to give it."""

import base64
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from nexus.sdk.engine import Form, Model, Upload  # noqa: E402 - the service's folder has to be on the path


@pytest.fixture(scope="session")
def model(find_model: Callable[[Path], Model]) -> Model:
    """The embedded model as its manifest entry describes it, its file found."""
    pytest.importorskip("onnxruntime", reason="the embedded model runs in the service's own environment")
    return find_model(FOLDER / "models" / "terrain.toml")


@pytest.fixture(scope="session")
def engine(model: Model) -> Iterator[Any]:
    from engine import ImagesEngine

    engine = ImagesEngine({"NEXUS_IMAGES_THREADS": 1})
    engine.load(model)
    yield engine
    engine.unload(model)


@pytest.fixture(scope="session")
def house() -> Image.Image:
    """A small picture with shapes and colours in it."""
    picture = Image.new("RGB", (192, 160), (120, 180, 230))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 110, 192, 160), fill=(70, 140, 60))
    pen.rectangle((60, 60, 130, 125), fill=(170, 60, 50))
    pen.polygon([(50, 60), (95, 20), (140, 60)], fill=(90, 40, 30))
    return picture


@pytest.fixture(scope="session")
def file_of() -> Callable[..., bytes]:
    """An image as the bytes of a file."""

    def write(image: Image.Image, file_format: str = "PNG", **how: Any) -> bytes:
        target = io.BytesIO()
        image.save(target, file_format, **how)
        return target.getvalue()

    return write


@pytest.fixture(scope="session")
def form_of() -> Callable[..., Form]:
    """A form of text fields and files: `files` gives the bytes, or a list of them, by name."""

    def make(fields: dict[str, str], **files: Any) -> Form:
        lists = {name: given if isinstance(given, list) else [given] for name, given in files.items()}
        uploads = {
            name: tuple(Upload("picture", "application/octet-stream", body) for body in bodies)
            for name, bodies in lists.items()
        }
        return Form(fields, {}, {name: several[-1] for name, several in uploads.items()}, uploads)

    return make


@pytest.fixture(scope="session")
def picture_of() -> Callable[[dict[str, Any]], Image.Image]:
    """The picture in one item of an answer's data, or in an event."""

    def read(item: dict[str, Any]) -> Image.Image:
        image = Image.open(io.BytesIO(base64.b64decode(item["b64_json"])))
        image.load()
        return image

    return read
