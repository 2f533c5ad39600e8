"""Whether `nexus up` runs, by the lock file that it leaves."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from nexus.stack.doctor.running import stack_runs
from nexus.stack.state import StateFolder, only_one


def test_a_stack_that_runs_and_has_ended(tmp_path: Path) -> None:
    assert not stack_runs(tmp_path)
    with only_one(StateFolder(tmp_path), "http://127.0.0.1:8800"):
        assert stack_runs(tmp_path)
    assert not stack_runs(tmp_path)


def test_a_stack_that_was_killed(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "up.lock").write_text(json.dumps({"pid": child.pid, "url": ""}))
    assert not stack_runs(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "1"}', "null"])
def test_a_lock_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "up.lock").write_text(text)
    assert not stack_runs(tmp_path)
    assert os.listdir(tmp_path / "run") == ["up.lock"]
