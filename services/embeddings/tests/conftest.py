"""The real engine with the real model, loaded once for all tests of this folder."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from nexus.contract.wire.embeddings import EmbeddingsRequest  # noqa: E402 - the service's folder has to be on the path
from nexus.sdk.engine import Call, Model  # noqa: E402


@pytest.fixture(scope="session")
def model(find_model: Callable[[Path], Model]) -> Model:
    """The embedded model as its manifest entry describes it, its file found."""
    return find_model(FOLDER / "models" / "minilm.toml")


@pytest.fixture(scope="session")
def engine(model: Model) -> Iterator[Any]:
    from engine import EmbeddingsEngine

    engine = EmbeddingsEngine({"NEXUS_EMBEDDINGS_THREADS": 0})
    engine.load(model)
    yield engine
    engine.unload(model)


@pytest.fixture
def embed(engine: Any, call: Call) -> Callable[..., Any]:
    """The engine asked as the SDK asks it: with a request read from JSON."""

    def ask(given: Any, **fields: Any) -> Any:
        body = json.dumps({"model": "all-minilm-l6-v2", "input": given, **fields})
        return engine.embeddings(EmbeddingsRequest.model_validate_json(body), call)

    return ask
