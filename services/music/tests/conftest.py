"""The real engine with the real soundfont, loaded once for all tests of this folder."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER / "tests")]

from nexus.contract.wire.music import MusicRequest  # noqa: E402 - the service's folder has to be on the path
from nexus.sdk.engine import Call, Model  # noqa: E402


@pytest.fixture(scope="session")
def model(find_model: Callable[[Path], Model]) -> Model:
    """The embedded composer as its manifest entry describes it, its soundfont found."""
    return find_model(FOLDER / "models" / "symbolic.toml")


@pytest.fixture(scope="session")
def engine(model: Model) -> Iterator[Any]:
    from engine import MusicService

    engine = MusicService({})
    engine.load(model)
    yield engine
    engine.unload(model)


@pytest.fixture
def ask(engine: Any, call: Call) -> Callable[..., Any]:
    """The engine asked as the SDK asks it: with a request read from JSON."""

    def ask(**fields: Any) -> Any:
        return engine.music_generations(MusicRequest.model_validate_json(json.dumps(fields)), call)

    return ask


@pytest.fixture
def play(ask: Callable[..., Any]) -> Callable[..., Any]:
    """A short piece, decoded: its samples, frames by channels, full scale at 1."""
    from sound import heard

    def play(**fields: Any) -> Any:
        return heard(ask(**{"duration": 8, "seed": 1, **fields}).body).samples

    return play
