"""Tiny random pipelines, made once. All of this folder is skipped where torch is missing."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MISSING = [name for name in ("torch", "diffusers", "transformers") if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the packages that are not there."""
    reason = f"needs {', '.join(MISSING)}: run this folder's script `run`, which makes an environment with them"
    for item in items:
        if MISSING and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipeline that takes words, `words`, and one that takes a picture with them, `picture`."""
    sys.path.insert(0, str(HERE))
    import checkpoint

    folder = tmp_path_factory.mktemp("pipelines")
    checkpoint.make_text_to_video(folder / "words")
    checkpoint.make_image_to_video(folder / "picture")
    return folder
