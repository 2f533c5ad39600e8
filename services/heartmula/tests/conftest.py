"""The service's folder on the import path, and a stand-in for heartlib where its worker looks for it."""

import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
STANDIN = FOLDER / "tests" / "standin"
sys.path.insert(0, str(FOLDER))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like HeartMuLa's weights."""
    folder = tmp_path_factory.mktemp("ckpt")
    for name in ("tokenizer.json", "gen_config.json"):
        (folder / name).write_text("{}")
    for name in ("HeartMuLa-oss-3B", "HeartCodec-oss"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="session")
def heartlib_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in writes down what it was asked, a line of JSON each time."""
    return tmp_path_factory.mktemp("log") / "heartlib.jsonl"


@pytest.fixture(scope="session")
def environment(checkpoint: Path, heartlib_log: Path) -> dict[str, str]:
    """The variables of a service that runs on the stand-in."""
    path = os.pathsep.join(filter(None, [str(STANDIN), os.environ.get("PYTHONPATH", "")]))
    return {
        "PYTHONPATH": path,
        "HEARTLIB_LOG": str(heartlib_log),
        "NEXUS_HEARTMULA_CHECKPOINT": str(checkpoint),
        "NEXUS_HEARTMULA_DEVICE": "cpu",
    }
