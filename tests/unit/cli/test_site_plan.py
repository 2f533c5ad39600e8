"""From a working folder to a plan."""

from pathlib import Path

import pytest
import typer

from nexus.cli.site_plan import plan_here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a stack of one service."""
    service = tmp_path / "services" / "words"
    service.mkdir(parents=True)
    (service / "service.toml").write_text('[service]\nname = "words"\nengine = "e:E"\noperations = ["embeddings"]\n')
    (tmp_path / "stack.toml").write_text('[stack]\nservices = ["services/*"]\n')
    return tmp_path


def test_without_a_site_file_all_services_run_once(folder: Path) -> None:
    assert [(unit.folder, unit.replicas) for unit in plan_here(folder, None).units] == [("words", 1)]


def test_the_folders_own_site_file_is_read_unless_another_is_named(folder: Path) -> None:
    (folder / "site.toml").write_text("[service.words]\nreplicas = 2\n")
    (folder / "other.toml").write_text("[service.words]\nreplicas = 3\n")
    assert plan_here(folder, None).units[0].replicas == 2
    assert plan_here(folder, folder / "other.toml").units[0].replicas == 3


def test_what_cannot_be_used_ends_the_command_with_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        plan_here(folder, folder / "gone.toml")
    assert capsys.readouterr().err.count("\n") == 1
