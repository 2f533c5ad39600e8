"""`nexus service` as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nexus.cli.service import app


def typed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_a_new_service_passes_its_check_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "services").mkdir()
    code, output = typed("new", "word-tools")
    assert code == 0
    assert "services/word-tools" in output
    code, output = typed("check", "--here", "--json", "word-tools")
    assert code == 0, output
    results = json.loads(output)
    assert {result["status"] for result in results} == {"pass", "skip"}
    assert all(result["reason"] for result in results if result["status"] == "skip")


def test_a_check_that_fails_is_exit_1() -> None:
    code, output = typed("check", "--wait", "0", "http://127.0.0.1:9")
    assert code == 1
    assert "0 pass" in output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("new", "Bad Name"), "lower-case"),
        (("check", "nowhere"), "neither a URL nor a folder"),
        (("run", "nowhere"), "neither a URL nor a folder"),
        (("check", "broken"), "service.toml"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "service.toml").write_text("[service]\n")
    code, output = typed(*words)
    assert code == 2
    assert told in output
    assert output.startswith("nexus: ")
    assert output.count("\n") == 1


def test_run_becomes_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("new", "counter", "--into", str(tmp_path))
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda path, arguments: seen.append([path, *arguments]))
    assert typed("run", "--here", "--port", "0", "--host", "::1", str(tmp_path / "counter"))[0] == 0
    path, python, *rest = seen[0]
    assert path == python
    assert rest == ["-m", "nexus.sdk.serve", str(tmp_path / "counter"), "--host", "::1", "--port", "0"]


def test_run_heeds_the_stack_files_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    typed("new", "counter", "--into", str(tmp_path))
    (tmp_path / "stack.toml").write_text('[service.counter]\nextras = ["big"]\n')
    code, output = typed("run", "counter")
    assert code == 2
    assert "requirements-big.txt" in output
