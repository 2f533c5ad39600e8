"""`nexus gateway`: refuses a bad environment in one line."""

import pytest
from typer.testing import CliRunner

from nexus.cli.main import make_app


def test_a_bad_variable_ends_it_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_PORT", "many")
    result = CliRunner().invoke(make_app("gateway"), ["gateway"])
    assert result.exit_code == 2
    assert result.stderr.startswith("nexus: NEXUS_PORT: ")
    assert result.stderr.count("\n") == 1
