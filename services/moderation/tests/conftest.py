"""The real engine with the real models, loaded once for all tests of this folder."""

import base64
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from nexus.contract.wire.moderations import ModerationRequest  # noqa: E402 - the service's folder has to be on the path
from nexus.sdk.engine import Call, Model  # noqa: E402


@pytest.fixture(scope="session")
def model(find_model: Callable[[Path], Model]) -> Model:
    """The embedded model as its manifest entry describes it, its folder found."""
    return find_model(FOLDER / "models" / "profanity-opennsfw.toml")


@pytest.fixture(scope="session")
def make_engine(model: Model) -> Callable[..., Any]:
    """An engine with the model loaded, its options changed as wanted; None takes one away."""
    from engine import ModerationEngine

    def make(**options: Any) -> Any:
        wanted = {name: value for name, value in {**model.options, **options}.items() if value is not None}
        engine = ModerationEngine({"NEXUS_MODERATION_THREADS": 1})
        engine.load(Model(id=model.id, path=model.path, options=wanted))
        return engine

    return make


@pytest.fixture(scope="session")
def engine(make_engine: Callable[..., Any], model: Model) -> Iterator[Any]:
    engine = make_engine()
    yield engine
    engine.unload(model)


@pytest.fixture
def judge(engine: Any, call: Call) -> Callable[..., Any]:
    """The engine asked as the SDK asks it: with a request read from JSON."""

    def ask(given: Any, other: Any = None) -> Any:
        request = ModerationRequest.model_validate_json(json.dumps({"input": given}))
        return (other or engine).moderations(request, call)

    return ask


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A harmless picture as a PNG: a gradient under a disc."""
    image = Image.radial_gradient("L").convert("RGB").resize((320, 240))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


@pytest.fixture(scope="session")
def shown() -> Callable[[bytes], dict[str, Any]]:
    """A message's part with an image."""

    def part(body: bytes) -> dict[str, Any]:
        url = f"data:image/png;base64,{base64.b64encode(body).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}

    return part
