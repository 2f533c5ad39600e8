"""Tiny random checkpoints, made once, and painters of them. All of this folder is skipped where torch is missing."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nexus.sdk.engine import Model

sys.path.insert(0, str(Path(__file__).parent))  # for the checkpoints' module beside this file
MISSING = [name for name in ("torch", "diffusers", "transformers") if importlib.util.find_spec(name) is None]
STEPS = 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the packages that are not there."""
    reason = f"needs {', '.join(MISSING)}: run this folder's script `run`, which makes an environment with them"
    for item in items:
        if MISSING and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", params=["sd", "sdxl"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of either class."""
    import tiny

    save: Callable[[Path], Path] = {"sd": tiny.save_sd, "sdxl": tiny.save_sdxl}[request.param]
    return save(tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def entry() -> Callable[..., Model]:
    """A manifest entry for a checkpoint folder."""

    def make(path: Path | None, **options: Any) -> Model:
        return Model(id="tiny", path=path, options={"engine": "diffusers", "device": "cpu", "steps": STEPS, **options})

    return make


@pytest.fixture(scope="session")
def painter(checkpoint: Path, entry: Callable[..., Model]) -> Iterator[Any]:
    from nexus_images.painters import make_painter

    painter = make_painter(entry(checkpoint), 1)
    yield painter
    painter.close()
