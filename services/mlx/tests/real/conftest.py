"""The real mlx_lm.server behind the service, on two tiny models that are made here. Skipped where mlx-lm is missing."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MISSING = [name for name in ("mlx", "mlx_lm") if importlib.util.find_spec(name) is None]
sys.path[:0] = [str(HERE), str(HERE.parents[1])]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the packages that are not there."""
    reason = f"needs {', '.join(MISSING)}: run this folder's script `run`, which makes an environment with them"
    for item in items:
        if MISSING and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of two models."""
    from tiny import make

    folder = tmp_path_factory.mktemp("mlx")
    return make(folder / "tiny-one", 1), make(folder / "tiny-two", 2)
