"""The folder of weights is looked at first."""

from pathlib import Path

import pytest
from nexus_heartmula.checkpoint import checked


def test_a_whole_folder(checkpoint: Path) -> None:
    assert checked(checkpoint, "3B") == checkpoint


def test_what_is_missing_is_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"HeartMuLa-oss-7B$"):
        checked(checkpoint, "7B")
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json, gen_config\.json"):
        checked(tmp_path, "3B")
    with pytest.raises(FileNotFoundError, match=r"NEXUS_HEARTMULA_CHECKPOINT is not set"):
        checked(Path(), "3B")
