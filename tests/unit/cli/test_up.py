"""`nexus up`: what cannot start is said in one line. What can is run by the system tests."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nexus.cli.main import make_app


def test_a_stack_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stack.toml").write_text("[stack]\nservces = []\n")
    result = CliRunner().invoke(make_app("up"), ["up"])
    assert result.exit_code == 1
    assert result.stderr == f"nexus: {tmp_path}/stack.toml: stack.servces: Extra inputs are not permitted\n"


def test_a_state_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stack.toml").write_text("")
    (tmp_path / ".nexus").write_text("in the way")
    result = CliRunner().invoke(make_app("up"), ["up"])
    assert result.exit_code == 2
    assert result.stderr.startswith("nexus: NEXUS_API_KEY: ")
