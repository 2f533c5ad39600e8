"""`nexus deploy k8s` as it is typed."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nexus.cli.deploy import app


def typed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["k8s", *words])
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a stack of two services."""
    for name in ("words", "more"):
        service = tmp_path / "services" / name
        service.mkdir(parents=True)
        (service / "service.toml").write_text(
            f'[service]\nname = "{name}"\nengine = "e:E"\noperations = ["embeddings"]\n'
        )
    (tmp_path / "stack.toml").write_text('[stack]\nservices = ["services/*"]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_written_that_lists_its_files(folder: Path) -> None:
    assert typed("--out", "out")[0] == 0
    listed = yaml.safe_load((folder / "out" / "kustomization.yaml").read_text())["resources"]
    assert sorted([*listed, "kustomization.yaml", "README.md"]) == sorted(
        path.name for path in (folder / "out").iterdir()
    )
    assert {"service-words.yaml", "service-more.yaml"} <= set(listed)


def test_files_of_services_that_are_no_more_go_and_others_stay(folder: Path) -> None:
    typed("--out", "out")
    (folder / "out" / "own.yaml").write_text("a: 1\n")
    (folder / "site.toml").write_text("[service.more]\nreplicas = 0\n")
    assert typed("--out", "out")[0] == 0
    names = {path.name for path in (folder / "out").iterdir()}
    assert "service-more.yaml" not in names
    assert {"service-words.yaml", "own.yaml"} <= names


def test_values_for_the_chart(folder: Path) -> None:
    (folder / "far.toml").write_text("[service.words]\nreplicas = 4\n")
    assert typed("--out", "out", "--site", "far.toml", "--helm-values") == (0, "written: 1 file in out\n")
    values = yaml.safe_load((folder / "out" / "values.yaml").read_text())
    assert values["services"]["words"]["replicas"] == 4


def test_what_does_not_fit_a_cluster_is_one_line_and_nothing_is_written(folder: Path) -> None:
    (folder / "site.toml").write_text("[gateway]\nreplicas = 2\n")
    for words in (["--out", "out"], ["--out", "out", "--helm-values"]):
        code, text = typed(*words)
        assert (code, text.count("\n")) == (1, 1)
        assert text.startswith("nexus: gateway.replicas: ")
    assert not (folder / "out").exists()


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "out").write_text("")
    assert typed("--out", "out")[0] == 1
