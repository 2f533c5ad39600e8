"""The real engine with the real model, loaded once, and a small cross-encoder made here, beside it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER / "tests")]

from nexus.contract.wire.rerank import RerankRequest  # noqa: E402 - the service's folder has to be on the path
from nexus.sdk.engine import Call, Model  # noqa: E402


@pytest.fixture(scope="session")
def minilm(find_model: Callable[[Path], Model]) -> Model:
    """The embedded model as its manifest entry describes it, its file found."""
    return find_model(FOLDER / "models" / "minilm.toml")


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A folder with a cross-encoder that counts the words which query and document share."""
    from tiny_cross_encoder import write_folder

    folder = tmp_path_factory.mktemp("cross")
    write_folder(folder)
    return Model(id="cross", path=folder, context_length=24)


@pytest.fixture(scope="session")
def engine(minilm: Model, crossing: Model) -> Iterator[Any]:
    from engine import RerankService

    engine = RerankService({"NEXUS_RERANK_THREADS": 0})
    engine.load(minilm)
    engine.load(crossing)
    yield engine
    engine.unload(minilm)
    engine.unload(crossing)


@pytest.fixture
def call(minilm: Model) -> Call:
    return Call("test", minilm, {})


@pytest.fixture
def rerank(engine: Any, call: Call) -> Callable[..., Any]:
    """The engine asked as the SDK asks it: with a request read from JSON."""

    def ask(query: str, documents: Any, asked: Call = call, **fields: Any) -> Any:
        body = json.dumps({"query": query, "documents": documents, **fields})
        return engine.rerank(RerankRequest.model_validate_json(body), asked)

    return ask
